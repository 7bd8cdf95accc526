#include "launch/models/file_verification.h"

#include <algorithm>
#include <filesystem>
#include <functional>

#include "data/glob.h"
#include "data/shards/shard_check.h"
#include "data/tokenizer/tokenizer.h"
#include "kernels/core/check.h"
#include "kernels/core/files.h"
#include "kernels/core/json.h"
#include "kernels/core/sha256.h"
#include "launch/models/model_source.h"
#include "trainer/checkpoint/checkpoint.h"

namespace nystrom {
namespace {

namespace fs = std::filesystem;
using Verdicts = std::vector<FileVerdict>;

/// Verdict from the text that `verify` returns, or the message that it throws.
FileVerdict verdict(const std::string& path, const std::function<std::string()>& verify) {
  try {
    return {path, verify(), ""};
  } catch (const Error& error) {
    return {path, "", error.what()};
  }
}

FileVerdict of_checkpoint(const std::string& path) {
  return verdict(path, [&path] {
    check_foreign_checkpoint(path);
    const CheckpointReader reader(path, false);
    return fmt::format("checkpoint of step {}: digest, model and {} tensors match, all values are finite",
                       reader.state().step, reader.tensors().size());
  });
}

FileVerdict of_shard(const std::string& path) {
  return verdict(path, [&path] {
    check_shards(std::span(&path, 1), ShardCheck::kAll);
    return std::string("shard: all data was read; checksums, offsets and ids are valid");
  });
}

FileVerdict of_safetensors(const std::string& path) {
  return verdict(path, [&path] {
    const SafetensorsFile file(path);
    for (const auto& [name, tensor] : file.tensors()) (void)file.read_bytes(tensor);
    return fmt::format("safetensors file: {} tensors", file.tensors().size());
  });
}

FileVerdict of_tokenizer(const std::string& path) {
  return verdict(path, [&path] {
    const Tokenizer tokenizer = Tokenizer::read(path);
    return fmt::format("tokenizer of {} tokens", tokenizer.vocabulary_size());
  });
}

Verdicts of_model(const std::string& path) {
  Verdicts all{verdict(path, [&path] {
    ModelSource(path).check();
    return std::string("model: its tensors match its config.json");
  })};
  for (const auto& file : files_below(path))
    if (file.ends_with(".safetensors")) all.push_back(of_safetensors(file));
  return all;
}

Verdicts of_run(const std::string& path) {
  Verdicts all;
  for (const auto& file : files_below((fs::path(path) / "checkpoints").string()))
    if (file.ends_with(".h5")) all.push_back(of_checkpoint(file));
  return all;
}

/// A file listed in a manifest: its digest, then its content.
FileVerdict of_listed(const fs::path& path, const std::string& sha256) {
  FileVerdict found = verdict(path.string(), [&] {
    if (sha256_of_file(path.string()) != sha256)
      refuse("{} is corrupt: its SHA-256 differs from the manifest. Prepare it again.", path.string());
    return std::string();
  });
  return found.problem.empty() ? of_shard(path.string()) : found;
}

Verdicts of_preparation(const std::string& folder) {
  const std::string path = (fs::path(folder) / "manifest.json").string();
  Verdicts all;
  try {
    const auto manifest = parse_json<nlohmann::json>(read_file(path));
    for (const auto& [split, content] : manifest.at("splits").items())
      for (const auto& shard : content.at("shards")) {
        const fs::path name = shard.at("file").get<std::string>();
        const bool leads_out = split == ".." || name == "..";
        if (leads_out || name.has_parent_path() || fs::path(split).has_parent_path())
          refuse("{} lists the file {}, which is outside its folder.", path, name.string());
        all.push_back(of_listed(fs::path(folder) / split / name, shard.at("sha256").get<std::string>()));
      }
  } catch (const nlohmann::json::exception& error) {
    refuse("{} is not a valid manifest: {}.", path, error.what());
  }
  return all;
}

Verdicts of_folder(const std::string& path) {
  const auto holds = [&path](const char* name) { return file_exists((fs::path(path) / name).string()); };
  if (holds("config.json")) return of_model(path);
  if (holds("checkpoints")) return of_run(path);
  if (holds("manifest.json")) return of_preparation(path);
  refuse(
      "{} is a folder, but not a model (no config.json), a run directory (no checkpoints) or prepared text "
      "(no manifest.json).",
      path);
}

}  // namespace

std::vector<FileVerdict> verify_files(const std::string& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (!fs::exists(status))
    refuse("{} cannot be read: {}.", path, error ? error.message() : "No such file or directory");
  if (fs::is_directory(status)) return of_folder(path);
  if (!fs::is_regular_file(status)) refuse("{} is neither a file nor a folder.", path);
  if (is_checkpoint(path)) return {of_checkpoint(path)};
  if (path.ends_with(".safetensors")) return {of_safetensors(path)};
  if (path.ends_with(".model")) return {of_tokenizer(path)};
  return {of_shard(path)};
}

}  // namespace nystrom
