#include "launch/setup/run_overview.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <string_view>
#include <thread>

#include "kernels/core/check.h"
#include "kernels/core/files.h"
#include "kernels/core/json.h"
#include "launch/config/config.h"
#include "trainer/metrics/progress.h"
#include "trainer/run/heartbeat.h"

namespace nystrom {
namespace {

namespace fs = std::filesystem;
using OrderedJson = nlohmann::ordered_json;

constexpr std::size_t kMaxRecordedLosses = 4096;

std::optional<double> number(const OrderedJson& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_number()) return std::nullopt;
  return found->get<double>();
}

void take_training(RunOverview& run, const OrderedJson& line) {
  run.newest.clear();
  for (const auto& [key, value] : line.items())
    if (value.is_number()) run.newest.emplace_back(key, value.get<double>());
  run.seconds = number(line, "seconds").value_or(run.seconds);
  if (const auto loss = number(line, "loss")) run.losses.push_back(*loss);
  if (run.losses.size() < kMaxRecordedLosses) return;
  for (std::size_t i = 0; i < run.losses.size() / 2; ++i)
    run.losses[i] = (run.losses[2 * i] + run.losses[2 * i + 1]) / 2;
  run.losses.resize(run.losses.size() / 2);
}

void take_validation(RunOverview& run, const OrderedJson& line, std::int64_t step) {
  const auto loss = number(line, "validation_loss");
  if (!loss) return;
  run.validation = {step, *loss, number(line, "validation_mlm_loss")};
  if (!run.best || *loss < run.best->loss) run.best = run.validation;
}

void read_metrics_of(RunOverview& run) {
  const fs::path path = fs::path(run.directory) / "metrics.jsonl";
  std::error_code ignored;
  if (!fs::is_regular_file(path, ignored)) return;  // a named pipe would be waited for
  std::ifstream file(path);
  for (std::string text; std::getline(file, text);) {
    const OrderedJson line = try_parse_json<OrderedJson>(text);
    if (!line.is_object()) continue;
    const auto step = static_cast<std::int64_t>(number(line, "step").value_or(0));
    run.step = std::max(run.step, step);
    if (line.contains("validation_loss"))
      take_validation(run, line, step);
    else
      take_training(run, line);
  }
}

void read_start(RunOverview& run) {
  const auto text = try_read_file(run.directory + "/run.json", kMaxTextFileBytes);
  const OrderedJson starts = text ? try_parse_json<OrderedJson>(*text) : OrderedJson();
  if (!starts.is_array() || starts.empty() || !starts.back().is_object()) return;
  const OrderedJson& last = starts.back();
  const auto word = [&](const char* key) {
    const auto found = last.find(key);
    return found != last.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  const auto ranks = static_cast<std::int64_t>(number(last, "ranks").value_or(0));
  run.steps = static_cast<std::int64_t>(number(last, "steps").value_or(0));
  if (const auto date = word("date"); !date.empty())
    run.started = fmt::format("{} on {}, {} rank{}{}", date, word("host"), ranks, ranks == 1 ? "" : "s",
                              starts.size() > 1 ? fmt::format(", start {}", starts.size()) : "");
}

/// Of a run whose program did not record its number of steps.
std::int64_t steps_of_configuration(const std::string& directory) {
  const std::string path = directory + "/config.yaml";
  const auto text = try_read_file(path, kMaxTextFileBytes);
  if (!text) return 0;
  try {
    return read_config_text(*text, path).training.steps.value_or(0);
  } catch (const InputError&) {
    return 0;
  }
}

/// Are heartbeats still written? They are written every few seconds, more rarely by many ranks.
RunCondition condition_of_job(const std::string& directory) {
  const std::vector<Heartbeat> before = read_heartbeats(directory);
  if (before.empty()) return RunCondition::kStopped;
  const auto age = std::abs(unix_seconds() - before.front().written);
  if (age < 2 * before.front().every + 1) return RunCondition::kRunning;
  std::this_thread::sleep_for(std::chrono::seconds(2));
  const std::vector<Heartbeat> after = read_heartbeats(directory);
  if (after.empty()) return RunCondition::kStopped;
  return after.front().written != before.front().written ? RunCondition::kRunning : RunCondition::kSilent;
}

}  // namespace

std::string_view word_of(RunCondition condition) {
  switch (condition) {
    case RunCondition::kRunning:
      return "running";
    case RunCondition::kDone:
      return "done";
    case RunCondition::kStopped:
      return "stopped";
    case RunCondition::kSilent:
      return "silent";
  }
  return "";
}

RunOverview read_run_overview(const std::string& directory) {
  RunOverview run;
  run.directory = directory;
  read_start(run);
  if (run.steps == 0) run.steps = steps_of_configuration(directory);
  read_metrics_of(run);
  run.condition = condition_of_job(directory);
  const bool over = file_exists(directory + "/results.json") || (run.steps > 0 && run.step >= run.steps);
  if (run.condition == RunCondition::kStopped && over) run.condition = RunCondition::kDone;
  if (run.steps > run.step && run.step > 0)
    run.seconds_left =
        run.seconds / static_cast<double>(run.step) * static_cast<double>(run.steps - run.step);
  return run;
}

std::string days_text(double seconds) {
  constexpr double kDay = 86400;
  if (!std::isfinite(seconds) || seconds < kDay) return duration_text(seconds);
  const double days = std::floor(seconds / kDay);
  const double rest = seconds - days * kDay;
  return fmt::format("{:.0f} d {}", days, duration_text(rest));
}

OrderedJson as_json(const RunOverview& run) {
  const auto point = [](const std::optional<ValidationPoint>& at) {
    if (!at) return OrderedJson();
    OrderedJson json{{"step", at->step}, {"loss", at->loss}};
    if (at->mlm_loss) json["mlm_loss"] = *at->mlm_loss;
    return json;
  };
  OrderedJson newest = OrderedJson::object();
  for (const auto& [key, value] : run.newest) {
    const auto whole = static_cast<std::int64_t>(value);
    newest[key] = static_cast<double>(whole) == value ? OrderedJson(whole) : OrderedJson(value);
  }
  return {{"kind", "run"},
          {"directory", run.directory},
          {"state", word_of(run.condition)},
          {"started", run.started},
          {"step", run.step},
          {"steps", run.steps},
          {"seconds", run.seconds},
          {"seconds_left", run.seconds_left},
          {"newest", std::move(newest)},
          {"validation", point(run.validation)},
          {"best_validation", point(run.best)}};
}

std::string text_of(const ValidationPoint& at) {
  std::string text = fmt::format("{:.4f} at step {}", at.loss, at.step);
  if (at.mlm_loss) text += fmt::format(" (mlm perplexity {:.1f})", std::exp(*at.mlm_loss));
  return text;
}

std::string pretraining_summary(const std::string& directory, const std::string& evaluated) {
  const RunOverview run = read_run_overview(directory);
  std::string text = fmt::format("Done: {} steps in {}.", run.step, days_text(run.seconds));
  if (run.best) text += "\n  best validation  loss " + text_of(*run.best);
  if (run.validation && run.validation->step != run.best->step)
    text += "\n  last validation  loss " + text_of(*run.validation);
  text +=
      fmt::format("\n  checkpoints      {0}/checkpoints\n  metrics          {0}/metrics.jsonl", directory);
  text += fmt::format("\n  next             nystrom evaluate {}\n", evaluated);
  return text + fmt::format("                   nystrom convert --from {} --to MODEL", directory);
}

std::string finetuning_summary(const std::string& directory) {
  const RunOverview run = read_run_overview(directory);
  std::string text = fmt::format("Done: {} steps in {}.", run.step, days_text(run.seconds));
  const OrderedJson results =
      try_parse_json<OrderedJson>(try_read_file(directory + "/results.json").value_or(""));
  if (results.is_object()) {
    std::string scores;
    for (const auto& [key, value] : results.items()) {
      if (key == "task") break;  // the scores of the last split come before it
      if (!value.is_number()) continue;
      scores += fmt::format("{}{} {:.4f}", scores.empty() ? "" : ", ", key, value.get<double>());
    }
    if (!scores.empty()) text += "\n  scores           " + scores;
    if (const auto best = number(results, "best_step");
        best && results.value("best_by", OrderedJson()).is_string())
      text += fmt::format("\n  best             step {:.0f}, by {}", *best,
                          results["best_by"].get<std::string>());
  }
  text +=
      fmt::format("\n  results          {0}/results.json, {0}/predictions.tsv, {0}/report.html", directory);
  text += fmt::format("\n  next             nystrom predict --model {} --input FILE\n", directory);
  return text + fmt::format("                   nystrom convert --from {} --to MODEL", directory);
}

}  // namespace nystrom
