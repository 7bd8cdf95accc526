#include "launch/report/progress.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "kernels/core/json.h"

namespace nystrom {
namespace {

/// Seconds a step, over the last part of the run: a resume or a slow phase long ago does not count.
std::optional<double> seconds_per_step(const Series& seconds) {
  constexpr std::ptrdiff_t kLate = 20;
  const std::vector<Bucket>& buckets = seconds.even();
  if (buckets.size() < 2) return std::nullopt;
  const Bucket& now = buckets.back();
  const Bucket& then = *(buckets.end() - 1 - std::min(kLate, std::ssize(buckets) - 1));
  const double steps = now.step() - then.step(), spent = now.mean() - then.mean();
  if (steps <= 0 || spent < 0) return std::nullopt;
  return spent / steps;
}

/// Mean of the last twentieth: single steps are noisy.
std::optional<double> late_mean(const Series& series) {
  const std::vector<Bucket>& buckets = series.even();
  if (buckets.empty()) return std::nullopt;
  Bucket late = buckets.back();
  for (std::size_t i = buckets.size() - std::max<std::size_t>(buckets.size() / 20, 1); i + 1 < buckets.size();
       ++i) {
    late.sum += buckets[i].sum;
    late.count += buckets[i].count;
  }
  return late.mean();
}

/// The metric that chose the best checkpoint: of results.json, or the first that was scored.
std::string chosen_metric(const RunRecord& run) {
  const auto results = try_parse_json<nlohmann::json>(run.results);
  if (results.is_object() && results.contains("best_by") && results["best_by"].is_string())
    return results["best_by"].get<std::string>();
  if (run.evaluations.empty() || run.evaluations.front().splits.empty()) return {};
  const auto& scores = run.evaluations.front().splits.front().scores;
  return scores.empty() ? std::string() : scores.front().name;
}

}  // namespace

std::optional<double> Progress::share() const {
  if (steps <= 0) return std::nullopt;
  return std::clamp(static_cast<double>(step) / static_cast<double>(steps), 0.0, 1.0);
}

Progress progress_of(const ReportedRun& run) {
  const History& history = run.history;
  Progress progress{.phase = run.record.phase(history.last_step()),
                    .step = history.last_step(),
                    .steps = run.record.steps(),
                    .seconds = history.of("seconds").last(),
                    .seconds_left = {},
                    .tokens_per_second = {}};
  progress.tokens_per_second = late_mean(history.of("tokens_per_second"));
  const auto per_step = seconds_per_step(history.of("seconds"));
  if (per_step && progress.phase == RunPhase::kRunning && progress.steps > progress.step)
    progress.seconds_left = *per_step * static_cast<double>(progress.steps - progress.step);
  return progress;
}

std::string_view name_of(RunPhase phase) {
  switch (phase) {
    case RunPhase::kRunning:
      return "running";
    case RunPhase::kStopped:
      return "stopped";
    case RunPhase::kDone:
      return "done";
  }
  return "";
}

std::string grouped(std::int64_t number) {
  std::string digits = fmt::format("{}", number);
  for (auto at = static_cast<std::ptrdiff_t>(digits.size()) - 3; at > (number < 0 ? 1 : 0); at -= 3)
    digits.insert(static_cast<std::size_t>(at), ",");
  return digits;
}

std::string steps_text(const Progress& progress) {
  const auto share = progress.share();
  if (!share) return grouped(progress.step);
  return fmt::format("{} of {} ({:.0f}\u00a0%)", grouped(progress.step), grouped(progress.steps),
                     100 * *share);
}

std::string bytes_text(std::uint64_t bytes) {
  constexpr std::array kUnits{"bytes", "KiB", "MiB", "GiB", "TiB"};
  auto size = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; size >= 1024 && unit + 1 < kUnits.size(); ++unit) size /= 1024;
  return fmt::format("{:.{}f} {}", size, unit > 0 && size < 10 ? 1 : 0, kUnits[unit]);
}

std::optional<BestValidation> best_validation(const ReportedRun& run) {
  const std::string metric = chosen_metric(run.record);
  if (const auto best = best_of(run.record.evaluations, metric)) {
    const TaskEvaluation& evaluation = run.record.evaluations[*best];
    return BestValidation{metric, metric_of(evaluation, metric), evaluation.step};
  }
  const Series& loss = run.history.of("validation_loss");
  if (loss.empty()) return std::nullopt;
  return BestValidation{"loss", loss.min(), loss.min_step()};
}

}  // namespace nystrom
