#include "trainer/run/run_directory.h"

#include <filesystem>

#include "kernels/core/files.h"
#include "trainer/checkpoint/checkpoint.h"

namespace nystrom {
namespace {

std::string config_path(const std::string& directory) {
  return directory + "/config.yaml";
}

/// Removes temporary files of a killed process.
void remove_temporaries(const std::string& directory) {
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(directory, ignored))
    if (is_temporary_name(entry.path().string())) std::filesystem::remove(entry.path(), ignored);
}

bool was_used(const std::string& directory, const CheckpointSearch& search) {
  return search.any || std::filesystem::exists(config_path(directory)) ||
         std::filesystem::exists(metrics_path(directory));
}

void refuse_other_settings(const RunOptions& options, const RunIdentity& identity, const Settings& before,
                           const std::string& where) {
  const auto differences = differing_keys(before, identity.settings, options.may_change);
  if (differences.empty()) return;
  refuse(
      "{} was made with another configuration: {}. Restore these values, or choose another "
      "`run.directory`.",
      where, fmt::join(differences, "; "));
}

std::string checkpoint_to_resume(const RunOptions& options, const CheckpointSearch& search) {
  if (options.resume == Resume::kPath) {
    verify_checkpoint(options.resume_path);
    return options.resume_path;
  }
  if (options.resume == Resume::kNever) {
    if (was_used(options.directory, search))
      refuse(
          "{} was already used by a run, and `--resume` is never. Choose another `run.directory`, or "
          "remove it.",
          options.directory);
    return "";
  }
  if (search.any && !search.path)
    refuse("No checkpoint in {} is valid: {} Remove them to start over, or choose another `run.directory`.",
           checkpoint_folder(options.directory), search.warnings.front());
  return search.path.value_or("");
}

}  // namespace

std::string checkpoint_folder(const std::string& directory) {
  return directory + "/checkpoints";
}
std::string metrics_path(const std::string& directory) {
  return directory + "/metrics.jsonl";
}

std::vector<std::string> differing_keys(const Settings& old_settings, const Settings& new_settings,
                                        const std::function<bool(std::string_view)>& may_change) {
  static const std::string kNone = "not given";
  const auto value_of = [](const Settings& settings, const std::string& key) {
    const auto found = settings.find(key);
    return found == settings.end() ? kNone : found->second;
  };
  Settings all = old_settings;
  all.insert(new_settings.begin(), new_settings.end());
  std::vector<std::string> found;
  for (const auto& [key, ignored] : all) {
    const std::string before = value_of(old_settings, key), after = value_of(new_settings, key);
    if (before != after && !may_change(key))
      found.push_back(fmt::format("{} (was {}, is {})", key, before, after));
  }
  return found;
}

std::string prepare_run_directory(const RunOptions& options, const RunIdentity& identity,
                                  Observer& observer) {
  const std::string folder = checkpoint_folder(options.directory);
  const CheckpointSearch search = find_newest_checkpoint(folder);
  const std::string path = checkpoint_to_resume(options, search);
  if (options.resume == Resume::kAuto)
    for (const auto& warning : search.warnings) observer.warning(warning);
  if (!path.empty())
    refuse_other_settings(options, identity, CheckpointReader(path, false).identity().settings, path);
  std::error_code problem;
  std::filesystem::create_directories(folder, problem);
  if (problem) refuse("{} cannot be created: {}. Choose another `run.directory`.", folder, problem.message());
  remove_temporaries(options.directory);
  return path;
}

void publish_configuration(const std::string& directory, const std::string& text) {
  try {
    write_file(config_path(directory), text);
  } catch (const Error& error) {
    refuse("{} Choose another `run.directory`.", error.what());
  }
}

}  // namespace nystrom
