#include "launch/table/run_result.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "data/tasks/records.h"
#include "kernels/core/check.h"
#include "kernels/core/files.h"
#include "kernels/core/json.h"
#include "kernels/core/stage.h"
#include "launch/config/config.h"

namespace nystrom {
namespace {

namespace fs = std::filesystem;
using OrderedJson = nlohmann::ordered_json;

OrderedJson json_of(const fs::path& file) {
  const OrderedJson json = try_parse_json<OrderedJson>(read_file(file.string()));
  if (json.is_discarded()) refuse("{} is not valid JSON: it is corrupt.", file.string());
  return json;
}

void read_results(const fs::path& folder, RunResult& run) {
  const OrderedJson results = json_of(folder / "results.json");
  if (!results.is_object() || !results.contains("task"))
    refuse("{} is not of a fine-tuning run.", (folder / "results.json").string());
  run.task = results["task"].get<std::string>();
  run.data = results.value("data", "");
  run.seed = results.value("seed", std::int64_t{0});
  for (const auto& [split, scores] : results.items())
    if (scores.is_object() && split != "undefined") run.split = split;
  if (run.split.empty()) refuse("{} has no labelled split.", (folder / "results.json").string());
  const OrderedJson& scores = results[run.split];
  run.metric = results.value("best_by", scores.begin().key());
  const OrderedJson score = scores.value(run.metric, OrderedJson());
  if (!score.is_number())
    refuse("{}: {} of {} is undefined.", (folder / "results.json").string(), run.metric, run.split);
  run.score = score.get<double>();
}

/// Columns of probabilities: one a class that the task has.
std::int64_t count_probabilities(const std::string& path) {
  std::ifstream file(path);
  std::string header;
  std::getline(file, header);
  const std::vector<std::string> columns = split(header, "\t");
  return std::ranges::count_if(columns,
                               [](const std::string& name) { return name.starts_with("probability:"); });
}

/// Classes of the examples that were predicted, where the table has them.
void read_predictions(const fs::path& folder, RunResult& run) {
  const std::string path = (folder / "predictions.tsv").string();
  if (!fs::exists(path)) return;
  const Records records = read_records(path, {.columns = {{{"label"}, true}}});
  if (!records.present[0] || records.rows.empty()) return;
  std::map<std::string, std::int64_t> classes;
  for (const auto& row : records.rows) ++classes[row.cells[0]];
  const auto largest = std::ranges::max_element(classes, {}, [](const auto& c) { return c.second; });
  run.classes = std::max<std::int64_t>(std::ssize(classes), count_probabilities(path));
  run.examples = std::ssize(records.rows);
  run.majority = static_cast<double>(largest->second) / static_cast<double>(run.examples);
}

void read_metrics(const fs::path& folder, RunResult& run) {
  std::istringstream lines(try_read_file(folder / "metrics.jsonl").value_or(""));
  std::vector<double> rates;
  for (std::string line; std::getline(lines, line);) {
    const OrderedJson step = try_parse_json<OrderedJson>(line);
    if (!step.is_object() || !step.contains("tokens_per_second")) continue;
    rates.push_back(step["tokens_per_second"].get<double>());
    if (step.contains("seconds")) run.minutes = step["seconds"].get<double>() / 60;
  }
  if (rates.empty()) return;
  const auto middle = rates.begin() + std::ssize(rates) / 2;
  std::ranges::nth_element(rates, middle);
  run.tokens_per_second = *middle;
}

void read_start(const fs::path& folder, RunResult& run) {
  const OrderedJson starts = try_parse_json<OrderedJson>(try_read_file(folder / "run.json").value_or(""));
  if (!starts.is_array() || starts.empty() || !starts.back().contains("parameters")) return;
  run.parameters = starts.back()["parameters"].get<std::int64_t>();
  run.memory_bytes = starts.back().value("memory_bytes", std::int64_t{0});
}

/// Keys that say where and how a run was done, not what it computes.
bool is_incidental(const std::string& key) {
  constexpr std::array kPrefixes{"seed",
                                 "run.",
                                 "checkpoint.",
                                 "communication.",
                                 "task.path",
                                 "training.micro_batch",
                                 "training.backend"};
  return std::ranges::any_of(kPrefixes, [&](const char* prefix) { return key.starts_with(prefix); });
}

RunResult read_run(const fs::path& folder) {
  RunResult run;
  run.directory = folder.string();
  read_results(folder, run);
  read_predictions(folder, run);
  read_metrics(folder, run);
  read_start(folder, run);
  const std::string path = (folder / "config.yaml").string();
  for (auto& [key, value] : finetuning_values(read_config_text(read_file(path), path)))
    if (!is_incidental(key)) run.settings.emplace(key, value);
  return run;
}

}  // namespace

std::string RunResult::setting(const std::string& key) const {
  const auto found = settings.find(key);
  return found == settings.end() ? std::string() : found->second;
}

std::string RunResult::attention() const {
  struct Size {
    const char *kind, *key;
  };
  constexpr std::array kSizes{Size{"nystrom", "landmarks"}, Size{"linformer", "projection"},
                              Size{"performer", "features"}, Size{"longformer", "window"},
                              Size{"reformer", "hashes"}};
  const std::string kind = setting("model.attention.kind");
  std::string text = kind;
  for (const Size& size : kSizes)
    if (kind == size.kind) text += " " + setting(std::string("model.attention.") + size.key);
  const std::string convolution = setting("model.attention.convolution");
  return convolution.empty() || convolution == "0" ? text : text + ", convolution " + convolution;
}

/// Of a grid's directory: the run that is there a second time, as its best.
bool is_kept_best(const fs::path& folder) {
  return folder.filename() == "best" && fs::exists(folder.parent_path() / "grid.json");
}

std::vector<RunResult> read_runs(const std::string& path) {
  if (fs::exists(fs::path(path) / "results.json")) return {read_run(path)};
  std::vector<fs::path> folders;
  std::error_code unreadable;
  for (const auto& entry : fs::directory_iterator(path, unreadable))
    if (fs::exists(entry.path() / "results.json") && !is_kept_best(entry.path()))
      folders.push_back(entry.path());
  if (folders.empty())
    refuse("{} has no results.json, nor has a folder in it: it is not a finished fine-tuning run.", path);
  std::ranges::sort(folders);
  std::vector<RunResult> runs;
  Stage stage(fmt::format("reading the runs in {}", path), static_cast<double>(folders.size()));
  for (const auto& folder : folders) {
    runs.push_back(read_run(folder));
    stage.advance();
  }
  return runs;
}

}  // namespace nystrom
