#include "data/prepare_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "kernels/core/check.h"
#include "kernels/core/files.h"

namespace nystrom {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr const char* kStaging = ".preparing";
constexpr const char* kOptions = "options.json";
constexpr const char* kManifest = "manifest.json";
constexpr std::array kParts{"train", "validation", "test", "tokenizer.model", "special_tokens.json"};

std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (file.bad()) refuse("{} cannot be read: {}.", path.string(), std::strerror(errno));
  return text;
}

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

}  // namespace

std::vector<std::string> differences(const std::string& there, const std::string& here) {
  std::vector<std::string> found;
  const auto a = Json::parse(there, nullptr, false);
  if (a.is_discarded()) return {"what is there cannot be read"};
  compare(a, Json::parse(here), "", found);
  return found;
}

void write_whole_file(const std::string& path, const std::string& content) {
  const auto temporary = temporary_name(path);
  {
    std::ofstream file(temporary, std::ios::binary);
    file.write(content.data(), static_cast<std::streamsize>(content.size()));
    file.close();
    if (!file) {
      const int error = errno;
      std::error_code ignored;
      fs::remove(temporary, ignored);
      fail("{} cannot be written: {}.", path, std::strerror(error));
    }
  }
  publish_file(temporary, path);
}

PrepareDirectory::PrepareDirectory(std::string path, std::string options)
    : path_(std::move(path)), options_(std::move(options)) {
  if (path_.empty())
    refuse("output.directory is needed: the folder in which shards, tokenizer and manifest are to lie.");
  std::error_code error;
  fs::create_directories(path_, error);
  if (error) refuse("output.directory: {} cannot be made: {}.", path_, error.message());
  lock_ = ::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (lock_ < 0) refuse("output.directory: {} cannot be opened: {}.", path_, std::strerror(errno));
  // Where the file system has no locks, nothing is locked.
  if (::flock(lock_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    ::close(lock_);
    refuse("output.directory: another nystrom prepare is writing to {} at this moment.", path_);
  }
  if (fs::exists(manifest_path())) manifest_ = read_file(manifest_path());
}

PrepareDirectory::~PrepareDirectory() {
  if (begun_) remove_all();
  ::close(lock_);
}

std::string PrepareDirectory::staging() const {
  return (fs::path(path_) / kStaging).string();
}
std::string PrepareDirectory::manifest_path() const {
  return (fs::path(path_) / kManifest).string();
}

void PrepareDirectory::begin() {
  NYSTROM_CHECK(manifest_.empty(), "{} is complete", path_);
  const fs::path options = fs::path(staging()) / kOptions;
  if (fs::exists(options)) {
    const auto found = differences(read_file(options), options_);
    if (!found.empty()) {
      refuse(
          "{} holds an unfinished preparation with other options: {}. Give another output.directory, or "
          "remove that one.",
          path_, fmt::join(found, "; "));
    }
    remove_all();
  }
  for (const auto* part : kParts) {
    if (!fs::exists(fs::path(path_) / part)) continue;
    refuse(
        "{} holds {} but no manifest.json, so it is no preparation of ours. Give another output.directory, "
        "or remove that one.",
        path_, part);
  }
  std::error_code error;
  fs::remove_all(staging(), error);
  fs::create_directory(staging(), error);
  if (error) refuse("output.directory: nothing can be written to {}: {}.", path_, error.message());
  begun_ = true;
  write_whole_file(options.string(), options_);
}

void PrepareDirectory::publish(const std::string& manifest) {
  for (const auto* part : kParts) {
    const auto from = fs::path(staging()) / part;
    if (!fs::exists(from)) continue;
    std::error_code error;
    fs::rename(from, fs::path(path_) / part, error);
    if (error) fail("{} cannot be moved to {}: {}.", from.string(), path_, error.message());
  }
  write_whole_file(manifest_path(), manifest);
  begun_ = false;
  std::error_code ignored;
  fs::remove_all(staging(), ignored);
}

void PrepareDirectory::remove_all() const noexcept {
  std::error_code ignored;
  for (const auto* part : kParts) fs::remove_all(fs::path(path_) / part, ignored);
  // Last: while it is there, what is left is known to be ours.
  fs::remove_all(staging(), ignored);
}

}  // namespace nystrom
