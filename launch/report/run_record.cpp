#include "launch/report/run_record.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <filesystem>

#include "kernels/core/check.h"
#include "kernels/core/files.h"
#include "kernels/core/json.h"
#include "launch/config/config_table.h"
#include "trainer/run/run_directory.h"
#include "trainer/run/run_lock.h"

namespace nystrom {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr std::size_t kMaxStarts = 1000, kMaxCheckpoints = 1000;

std::string text_of(const Json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end()) return {};
  if (found->is_string()) return found->get<std::string>();
  if (!found->is_array()) return {};
  std::vector<std::string> words;
  for (const Json& word : *found)
    if (word.is_string()) words.push_back(word.get<std::string>());
  return fmt::format("{}", fmt::join(words, name == std::string_view("command") ? " " : ", "));
}

std::int64_t number_of(const Json& object, const char* name) {
  const auto found = object.find(name);
  constexpr double kMaxStep = 9e15;
  if (found == object.end() || !found->is_number()) return 0;
  const double value = found->get<double>();
  return value >= 0 && value <= kMaxStep ? static_cast<std::int64_t>(value) : 0;
}

std::vector<CorpusRecord> corpora_of(const Json& start) {
  constexpr std::size_t kMaxCorpora = 1000;
  const auto found = start.find("corpora");
  std::vector<CorpusRecord> corpora;
  if (found == start.end() || !found->is_array()) return corpora;
  for (const Json& corpus : *found) {
    if (!corpus.is_object() || corpora.size() == kMaxCorpora) continue;
    const auto share = corpus.find("share");
    const bool known = share != corpus.end() && share->is_number();
    corpora.push_back({.name = text_of(corpus, "name"),
                       .share = known ? std::clamp(share->get<double>(), 0.0, 1.0) : 0,
                       .sequences = number_of(corpus, "sequences")});
  }
  return corpora;
}

RunStart start_of(const Json& json) {
  return {.date = text_of(json, "date"),
          .version = text_of(json, "version"),
          .command = text_of(json, "command"),
          .host = text_of(json, "host"),
          .cpu = text_of(json, "cpu"),
          .precision = text_of(json, "precision"),
          .resumed_from = text_of(json, "resumed_from"),
          .departure = text_of(json, "departure"),
          .libraries = text_of(json, "libraries"),
          .first_step = std::max<std::int64_t>(number_of(json, "first_step"), 1),
          .steps = number_of(json, "steps"),
          .ranks = number_of(json, "ranks"),
          .threads = number_of(json, "threads"),
          .parameters = number_of(json, "parameters"),
          .memory_bytes = number_of(json, "memory_bytes"),
          .corpora = corpora_of(json)};
}

/// The file's text, "" where it is absent; a sentence where it is there and cannot be read.
std::string text_in(RunRecord& run, const char* name) {
  const std::string path = run.directory + "/" + name;
  auto text = try_read_file(path, kMaxTextFileBytes);
  if (!text && file_exists(path)) run.problems.push_back(fmt::format("{} cannot be read.", name));
  return text.value_or("");
}

void read_starts(RunRecord& run) {
  const std::string text = text_in(run, "run.json");
  if (text.empty()) return;
  const Json json = try_parse_json<Json>(text);
  if (!json.is_array()) run.problems.emplace_back("run.json is corrupt.");
  if (!json.is_array()) return;
  const std::size_t first = json.size() - std::min(json.size(), kMaxStarts);
  for (std::size_t i = first; i < json.size(); ++i)
    if (json[i].is_object()) run.starts.push_back(start_of(json[i]));
}

void read_settings(RunRecord& run) {
  run.yaml = text_in(run, "config.yaml");
  if (run.yaml.empty()) return;
  try {
    Config config = read_config_text(run.yaml, "config.yaml"), standard;
    const std::vector<ConfigKey> own = config_keys(config), defaults = config_keys(standard);
    for (std::size_t i = 0; i < own.size(); ++i)
      run.settings.push_back(
          {std::string(own[i].path), value_text(own[i].slot), value_text(defaults[i].slot)});
  } catch (const Error& error) {  // of another version
    run.problems.push_back(fmt::format("The configuration is shown unparsed: {}", error.what()));
  }
}

/// 1000 of "step-00001000.h5"; -1 for other names.
std::int64_t step_of(std::string_view name) {
  constexpr std::string_view kBegin = "step-", kEnd = ".h5";
  if (!name.starts_with(kBegin) || !name.ends_with(kEnd)) return -1;
  name = name.substr(kBegin.size(), name.size() - kBegin.size() - kEnd.size());
  std::int64_t step = -1;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), step);
  return error == std::errc() && end == name.data() + name.size() ? step : -1;
}

void read_checkpoints(RunRecord& run) {
  std::error_code unreadable;
  fs::directory_iterator entries(checkpoint_folder(run.directory), unreadable);
  for (; !unreadable && entries != fs::directory_iterator() && run.checkpoints.size() < kMaxCheckpoints;
       entries.increment(unreadable)) {
    const std::string name = entries->path().filename().string();
    std::error_code ignored;
    if (name == "best.h5") run.has_best = true;
    if (const std::int64_t step = step_of(name); step >= 0) {
      const std::uintmax_t bytes = fs::file_size(entries->path(), ignored);
      run.checkpoints.push_back({name, step, ignored ? 0 : bytes});
    }
  }
  std::ranges::sort(run.checkpoints, {}, &CheckpointFile::step);
}

}  // namespace

std::int64_t RunRecord::steps() const {
  if (!starts.empty() && starts.back().steps > 0) return starts.back().steps;
  const Setting* given = setting("training.steps");
  std::int64_t steps = 0;
  if (given != nullptr)
    std::from_chars(given->value.data(), given->value.data() + given->value.size(), steps);
  return steps;
}

const Setting* RunRecord::setting(std::string_view key) const {
  const auto found = std::ranges::find(settings, key, &Setting::key);
  return found == settings.end() ? nullptr : &*found;
}

RunPhase RunRecord::phase(std::int64_t last_step) const {
  if (locked) return RunPhase::kRunning;
  const bool all_steps = steps() > 0 && last_step >= steps();
  return all_steps || !results.empty() ? RunPhase::kDone : RunPhase::kStopped;
}

RunRecord read_run_record(const std::string& directory) {
  const fs::path path = fs::path(directory).lexically_normal();
  RunRecord run{.directory = directory,
                .name = (path.has_filename() ? path : path.parent_path()).filename().string()};
  if (run.name.empty() || run.name == ".") run.name = fs::absolute(path).parent_path().filename().string();
  read_settings(run);
  read_starts(run);
  read_checkpoints(run);
  run.locked = file_exists(RunLock::path_in(directory));
  run.results = text_in(run, "results.json");
  run.evaluations = read_evaluations(text_in(run, "evaluations.json"));
  run.details = read_task_details(text_in(run, "details.json"));
  return run;
}

bool is_run_directory(const std::string& directory) {
  return file_exists(metrics_path(directory)) || file_exists(directory + "/results.json");
}

std::vector<std::string> runs_below(const std::string& directory, std::size_t most) {
  std::vector<std::string> runs;
  std::error_code unreadable;
  fs::directory_iterator entries(directory, unreadable);
  for (; !unreadable && entries != fs::directory_iterator(); entries.increment(unreadable)) {
    std::error_code ignored;
    if (entries->is_symlink(ignored) || !entries->is_directory(ignored)) continue;
    if (is_run_directory(entries->path().string())) runs.push_back(entries->path().string());
  }
  std::ranges::sort(runs);
  if (runs.size() > most) runs.resize(most);
  return runs;
}

}  // namespace nystrom
