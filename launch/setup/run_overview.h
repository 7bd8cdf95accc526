#pragma once
// Overview of a run directory: state, progress, losses. Read from its files, while a job runs there or
// after.

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace nystrom {

enum class RunCondition {
  kRunning,
  kDone,
  kStopped,  ///< on request, or failed: the same command resumes
  kSilent    ///< its heartbeats no longer change: it was killed, or hangs
};

/// "running", "done", ...
[[nodiscard]] std::string_view word_of(RunCondition condition);

struct ValidationPoint {
  std::int64_t step = 0;
  double loss = 0;
  std::optional<double> mlm_loss;
};

struct RunOverview {
  std::string directory;
  RunCondition condition = RunCondition::kStopped;
  std::string started;      ///< a sentence on the last start: date, host, ranks, command; may be empty
  std::int64_t step = 0;    ///< of the newest line of metrics
  std::int64_t steps = 0;   ///< 0: unknown
  double seconds = 0;       ///< that the run has taken
  double seconds_left = 0;  ///< estimated from the mean time of its steps
  std::vector<std::pair<std::string, double>>
      newest;                                       ///< "loss", "mlm_loss", ..., of the newest training line
  std::vector<double> losses;                       ///< training losses, in order; at most some thousand
  std::optional<ValidationPoint> validation, best;  ///< the newest, and the one with the least loss
};

/// Reads metrics.jsonl, run.json, heartbeats and the names of the checkpoints. Takes up to two seconds where
/// a heartbeat no longer changes. What is missing or damaged is left out.
[[nodiscard]] RunOverview read_run_overview(const std::string& directory);

/// "3:25:10"; "2 d 3:25:10" from a day on.
[[nodiscard]] std::string days_text(double seconds);

[[nodiscard]] nlohmann::ordered_json as_json(const RunOverview& run);

/// The end of a run in some lines: time, best validation, its files, the next commands. `evaluated`:
/// the arguments of `nystrom evaluate` for it.
[[nodiscard]] std::string pretraining_summary(const std::string& directory, const std::string& evaluated);
[[nodiscard]] std::string finetuning_summary(const std::string& directory);

/// "4.2000 at step 900 (mlm perplexity 33.4)"
[[nodiscard]] std::string text_of(const ValidationPoint& at);

}  // namespace nystrom
