#include "data/preparation/prepare_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <set>

#include "data/preparation/blocks/packed_file.h"
#include "kernels/core/check.h"
#include "kernels/core/files.h"
#include "kernels/core/folders.h"
#include "kernels/core/json.h"

namespace nystrom {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr const char* kStaging = ".preparing";
constexpr const char* kOptions = "options.json";
constexpr const char* kManifest = "manifest.json";
// Rises when a stage hashes or counts in another way: no preparation mixes the files of two versions.
constexpr int kStagingVersion = 2;
constexpr std::array kParts{"train",           "validation",       "test",
                            "tokenizer.model", "tokenizer.json",   "special_tokens.json",
                            "dropped.jsonl",   "contaminated.tsv", "report.html"};

void compare(const Json& there, const Json& here, const std::string& key, std::vector<std::string>& found) {
  if (there == here) return;
  if (!there.is_object() || !here.is_object()) {
    found.push_back(fmt::format("{} is {} there and {} here", key, there.is_null() ? "absent" : there.dump(),
                                here.is_null() ? "absent" : here.dump()));
    return;
  }
  std::set<std::string> keys;
  for (const auto& [name, value] : there.items()) keys.insert(name);
  for (const auto& [name, value] : here.items()) keys.insert(name);
  for (const auto& name : keys) {
    compare(there.value(name, Json()), here.value(name, Json()), key.empty() ? name : key + "." + name,
            found);
  }
}

std::string staged_options(const std::string& options) {
  Json json = parse_json<Json>(options);
  json["staging_version"] = kStagingVersion;
  return json.dump(2) + "\n";
}

/// 1 where the options name none. Damaged options count as ours; they are refused when they are compared.
Json staging_version(const std::string& staged) {
  const auto json = try_parse_json<Json>(staged);
  return json.is_object() ? json.value("staging_version", Json(1)) : Json(kStagingVersion);
}

[[noreturn]] void refuse_making(const std::string& path, const std::string& reason) {
  refuse("`output.directory`: {} cannot be made: {}.", path, reason);
}

[[noreturn]] void refuse_writing(const std::string& path, const std::string& reason) {
  refuse("`output.directory`: nothing can be written to {}: {}.", path, reason);
}

/// Opens the directory and locks it until it is closed.
int open_locked(const std::string& path) {
  const int folder = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) refuse("`output.directory`: {} cannot be opened: {}.", path, std::strerror(errno));
  // Where the file system has no locks, nothing is locked.
  if (::flock(folder, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    ::close(folder);
    refuse("`output.directory`: another nystrom prepare is writing to {}.", path);
  }
  return folder;
}

/// Refuses a directory without a manifest that holds something else, or the beginning of another preparation.
void check_begin(const std::string& path, const std::string& our_options) {
  const fs::path folder = PrepareDirectory::staging(path), options = folder / kOptions;
  for (const auto* part : kParts) {
    if (!fs::exists(fs::path(path) / part)) continue;
    refuse(
        "{} holds {} but no manifest.json, so it is not a preparation. Give another `output.directory`, or "
        "remove that one.",
        path, part);
  }
  if (!fs::exists(options)) return;
  const auto there = read_file(options.string(), kAnySize);
  if (staging_version(there) != kStagingVersion) {
    refuse(
        "{} holds an unfinished preparation of another version of nystrom. Finish it with that version, or "
        "remove {}.",
        path, folder.string());
  }
  const auto found = differences(there, staged_options(our_options));
  if (!found.empty()) {
    refuse(
        "{} holds an unfinished preparation with other options: {}. Give another `output.directory`, or "
        "remove that one.",
        path, fmt::join(found, "; "));
  }
}

/// Files that were being written when the process was killed.
void remove_temporary_files(const fs::path& folder) {
  std::error_code error;
  for (fs::recursive_directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    if (!is_temporary_name(entry->path().string())) continue;
    std::error_code ignored;
    fs::remove(entry->path(), ignored);
  }
}

}  // namespace

std::vector<std::string> differences(const std::string& there, const std::string& here) {
  std::vector<std::string> found;
  const auto a = try_parse_json<Json>(there);
  if (a.is_discarded()) return {"what is there cannot be read"};
  compare(a, parse_json<Json>(here), "", found);
  return found;
}

PrepareDirectory::PrepareDirectory(std::string path, std::string options)
    : path_(std::move(path)), options_(std::move(options)) {
  if (path_.empty()) refuse("`output.directory` is missing: the folder for shards, tokenizer and manifest.");
  std::error_code error;
  fs::create_directories(path_, error);
  if (error) refuse_making(path_, error.message());
  lock_ = open_locked(path_);
  if (fs::exists(fs::path(staging(path_)) / kManifest)) move_all();
  if (!fs::exists(manifest_path(path_))) return;
  manifest_ = read_file(manifest_path(path_), kAnySize);
  std::error_code ignored;
  fs::remove_all(staging(path_), ignored);  // what a kill left of it when all was done
}

PrepareDirectory::~PrepareDirectory() {
  ::close(lock_);
}

PrepareDirectory::State PrepareDirectory::check(const std::string& path, const std::string& options) {
  const std::string problem = why_not_writable(path);
  if (!fs::exists(path)) {
    if (!problem.empty()) refuse_making(path, problem);
    return State::kNew;
  }
  ::close(open_locked(path));
  if (fs::exists(manifest_path(path)) || fs::exists(fs::path(staging(path)) / kManifest))
    return State::kComplete;
  check_begin(path, options);
  if (!problem.empty()) refuse_writing(path, problem);
  return fs::exists(fs::path(staging(path)) / kOptions) ? State::kResumes : State::kNew;
}

std::string PrepareDirectory::staging(const std::string& path) {
  return (fs::path(path) / kStaging).string();
}
std::string PrepareDirectory::manifest_path(const std::string& path) {
  return (fs::path(path) / kManifest).string();
}

void PrepareDirectory::begin() {
  NYSTROM_CHECK(manifest_.empty(), "{} is complete", path_);
  check_begin(path_, options_);
  const fs::path folder = staging(path_), options = folder / kOptions;
  if (!fs::exists(options)) {
    std::error_code ignored;
    fs::remove_all(folder, ignored);
  }
  std::error_code error;
  for (const auto* part : {"text", "tokens"}) fs::create_directories(folder / part, error);
  if (error) refuse_writing(path_, error.message());
  remove_temporary_files(folder);
  begun_ = true;
  if (!fs::exists(options)) write_file(options.string(), staged_options(options_));
}

void PrepareDirectory::publish(const std::string& manifest) {
  // From here on the work is done: if it is interrupted now, the next call finishes it.
  write_file((fs::path(staging(path_)) / kManifest).string(), manifest);
  move_all();
}

void PrepareDirectory::move_all() {
  const fs::path folder = staging(path_);
  for (const auto* part : kParts) {
    if (!fs::exists(folder / part)) continue;
    std::error_code error;
    fs::rename(folder / part, fs::path(path_) / part, error);
    if (error) fail("{} cannot be moved to {}: {}.", (folder / part).string(), path_, error.message());
  }
  std::error_code error;
  fs::rename(folder / kManifest, manifest_path(path_), error);
  if (error) fail("{} cannot be moved to {}: {}.", (folder / kManifest).string(), path_, error.message());
  std::error_code ignored;
  fs::remove_all(folder, ignored);
}

void PrepareDirectory::discard() const noexcept {
  if (!begun_) return;
  std::error_code ignored;
  fs::remove_all(staging(path_), ignored);
}

}  // namespace nystrom
