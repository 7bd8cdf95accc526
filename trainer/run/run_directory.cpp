#include "trainer/run/run_directory.h"

#include <algorithm>
#include <filesystem>

#include "kernels/core/files.h"
#include "trainer/checkpoint/checkpoint.h"
#include "trainer/run/run_lock.h"

namespace nystrom {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kContent = "_content", kNextEntry = " | ";

std::string config_path(const std::string& directory) {
  return directory + "/config.yaml";
}

/// Removes temporary files of a killed process.
void remove_temporaries(const std::string& directory) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(directory, ignored))
    if (is_temporary_name(entry.path().string())) fs::remove(entry.path(), ignored);
}

bool is_content(std::string_view key) {
  return key.ends_with(kContent);
}

/// "optimizer.learning_rate (was 0.1, is 0.2); ..."
std::string listed(const Settings& differences) {
  std::string text;
  for (const auto& [key, values] : differences)
    text += fmt::format("{}{} ({})", text.empty() ? "" : "; ", key, values);
  return text;
}

/// The settings to compare with `other`: where both know the content of files, their paths do not count;
/// where one does not (a checkpoint of an older program), only the paths do.
Settings comparable(Settings settings, const Settings& other) {
  const Settings all = settings;
  for (const auto& [key, value] : all)
    if (is_content(key))
      settings.erase(other.contains(key) ? key.substr(0, key.size() - kContent.size()) : key);
  return settings;
}

std::string setting(const Settings& settings, const std::string& key) {
  const auto found = settings.find(key);
  return found == settings.end() ? "" : found->second;
}

/// What a history says of a fork from this checkpoint.
std::string fork_entry(std::int64_t step, const std::string& path) {
  return fmt::format("forked at step {} from {}", step, path);
}

bool is_fork_of(const std::string& history, const std::string& path) {
  const std::string from = " from " + path;
  for (auto at = history.find(from); at != std::string::npos; at = history.find(from, at + 1)) {
    const std::string_view rest = std::string_view(history).substr(at + from.size());
    if (rest.empty() || rest.starts_with(": ") || rest.starts_with(kNextEntry)) return true;
  }
  return false;
}

bool lies_in(const std::string& path, const std::string& folder) {
  std::error_code ignored;
  return fs::weakly_canonical(fs::path(path).parent_path(), ignored) == fs::weakly_canonical(folder, ignored);
}

struct Choice {
  std::string path;
  bool fork = false;  ///< of another run directory's checkpoint
};

/// `--resume PATH`. A fork that has its own checkpoints resumes from them, so that the same command resumes
/// it.
Choice choose_path(const RunOptions& options, const CheckpointSearch& search) {
  const bool fork = !lies_in(options.resume_path, checkpoint_folder(options.directory));
  if (fork && search.path) {
    const CheckpointReader newest(*search.path, false);
    if (is_fork_of(setting(newest.identity().settings, kHistoryKey), options.resume_path))
      return {*search.path, false};
  }
  if (fork && search.any)
    refuse(
        "{} holds another run, and {} is not one of its checkpoints. Choose a new `run.directory` for the fork.",
        options.directory, options.resume_path);
  verify_checkpoint(options.resume_path);
  return {options.resume_path, fork};
}

Choice choose_checkpoint(const RunOptions& options, const CheckpointSearch& search) {
  if (options.resume == Resume::kPath) return choose_path(options, search);
  if (options.resume == Resume::kNever) {
    if (search.any)
      refuse(
          "{} was already used by a run, and `--resume` is never. Choose another `run.directory`, or "
          "remove it.",
          options.directory);
    return {};
  }
  if (search.any && !search.path)
    refuse("No checkpoint in {} is valid: {} Remove them to start over, or choose another `run.directory`.",
           checkpoint_folder(options.directory), search.warnings.front());
  return {search.path.value_or(""), false};
}

[[noreturn]] void refuse_content(const std::string& path, const Settings& contents) {
  refuse(
      "{} was trained on other data under the same names: {}. Restore the files, or continue with these by "
      "`--accept-new-data`: the run is then no longer bit-identical to the original.",
      path, listed(contents));
}

/// Refuses differences that neither a resume nor, if it is one, this fork may have.
void refuse_differences(const RunOptions& options, const Choice& choice, const Settings& differences) {
  Settings forbidden, contents;
  bool may_fork = true;
  for (const auto& [key, values] : differences) {
    const bool in_fork = is_content(key) || options.may_change_in_fork(key);
    if (choice.fork ? in_fork : is_content(key) && options.accept_new_data) continue;
    may_fork = may_fork && in_fork;
    (is_content(key) ? contents : forbidden)[key] = values;
  }
  if (forbidden.empty() && contents.empty()) return;
  if (forbidden.empty()) refuse_content(choice.path, contents);
  forbidden.merge(contents);
  const std::string way_out =
      choice.fork ? "not even a fork may change them; restore these values"
      : may_fork
          ? fmt::format("restore these values, or fork the run: `--resume {}` with a new `run.directory`",
                        choice.path)
          : "restore these values, or choose another `run.directory`";
  refuse("{} was made with another configuration: {}. To resume, {}.", choice.path, listed(forbidden),
         way_out);
}

/// The settings of a checkpoint, with the defaults of keys that its program did not have.
Settings with_defaults(Settings settings, const Settings& defaults, const Settings& now) {
  for (const auto& [key, value] : defaults)
    if (now.contains(key)) settings.try_emplace(key, value);
  return settings;
}

/// How the run resumes from the checkpoint.
ResumePoint resume_point(const RunOptions& options, const RunIdentity& identity, const Choice& choice) {
  if (choice.path.empty()) return {};
  const CheckpointReader checkpoint(choice.path, false);
  const Settings before = with_defaults(checkpoint.identity().settings, options.defaults, identity.settings);
  const Settings differences = differing_keys(comparable(before, identity.settings),
                                              comparable(identity.settings, before), options.may_change);
  refuse_differences(options, choice, differences);
  ResumePoint point{choice.path, setting(before, kHistoryKey), {}};
  const std::int64_t step = checkpoint.state().step;
  if (choice.fork)
    point.departure = fork_entry(step, choice.path);
  else if (!differences.empty())
    point.departure = fmt::format("other data since step {}", step);
  if (!differences.empty()) point.departure += ": " + listed(differences);
  if (!point.departure.empty() && !point.history.empty()) point.history += kNextEntry;
  point.history += point.departure;
  return point;
}

/// Chooses the checkpoint and compares with it; nothing is written.
ResumePoint find_resume_point(const RunOptions& options, const RunIdentity& identity, Observer& observer) {
  const CheckpointSearch search = find_newest_checkpoint(checkpoint_folder(options.directory));
  const Choice choice = choose_checkpoint(options, search);
  if (options.resume == Resume::kAuto)
    for (const auto& warning : search.warnings) observer.warning(warning);
  ResumePoint point = resume_point(options, identity, choice);
  if (!point.departure.empty())
    observer.note(fmt::format("This run departs from the one that it continues: {}.", point.departure));
  return point;
}

}  // namespace

std::string checkpoint_folder(const std::string& directory) {
  return directory + "/checkpoints";
}
std::string metrics_path(const std::string& directory) {
  return directory + "/metrics.jsonl";
}
std::string content_key(std::string_view key) {
  return std::string(key).append(kContent);
}

Settings differing_keys(const Settings& old_settings, const Settings& new_settings,
                        const std::function<bool(std::string_view)>& may_change) {
  static const std::string kNone = "not given";
  const auto value_of = [](const Settings& settings, const std::string& key) {
    const auto found = settings.find(key);
    return found == settings.end() ? kNone : found->second;
  };
  Settings all = old_settings, found;
  all.insert(new_settings.begin(), new_settings.end());
  for (const auto& [key, ignored] : all) {
    const std::string before = value_of(old_settings, key), after = value_of(new_settings, key);
    if (before != after && key != kHistoryKey && !may_change(key))
      found[key] = fmt::format("was {}, is {}", before, after);
  }
  return found;
}

ResumePoint prepare_run_directory(const RunOptions& options, const RunIdentity& identity,
                                  Observer& observer) {
  const std::string folder = checkpoint_folder(options.directory);
  ResumePoint point = find_resume_point(options, identity, observer);
  std::error_code problem;
  fs::create_directories(folder, problem);
  if (problem) refuse("{} cannot be created: {}. Choose another `run.directory`.", folder, problem.message());
  remove_temporaries(options.directory);
  return point;
}

ResumePoint check_run_directory(const RunOptions& options, const RunIdentity& identity, Observer& observer) {
  RunLock::check(options.directory, [&observer](const std::string& sentence) { observer.note(sentence); });
  return find_resume_point(options, identity, observer);
}

void publish_configuration(const std::string& directory, const std::string& text) {
  try {
    write_file(config_path(directory), text);
  } catch (const Error& error) {
    refuse("{} Choose another `run.directory`.", error.what());
  }
}

}  // namespace nystrom
