#pragma once
// Progress of a run, from its files.

#include <cstdint>
#include <optional>
#include <string>

#include "launch/report/report.h"

namespace nystrom {

struct Progress {
  RunPhase phase = RunPhase::kStopped;
  std::int64_t step = 0, steps = 0;         ///< steps 0: not known
  double seconds = 0;                       ///< spent so far
  std::optional<double> seconds_left;       ///< of a running job, at its speed of late
  std::optional<double> tokens_per_second;  ///< of late

  /// Between 0 and 1, where the number of steps is known.
  [[nodiscard]] std::optional<double> share() const;
};

[[nodiscard]] Progress progress_of(const ReportedRun& run);

/// "running", "stopped", "done"
[[nodiscard]] std::string_view name_of(RunPhase phase);
/// "1,200 of 3,000 (40 %)", "1,200"
[[nodiscard]] std::string steps_text(const Progress& progress);
/// "1,234,567"
[[nodiscard]] std::string grouped(std::int64_t number);
/// "5.3 GiB", "12 MiB", "900 bytes"
[[nodiscard]] std::string bytes_text(std::uint64_t bytes);

/// The validation that chooses a checkpoint: a task's metric, else the loss.
struct BestValidation {
  std::string name;  ///< "accuracy", "loss"
  double value = 0;
  std::int64_t step = 0;
};
[[nodiscard]] std::optional<BestValidation> best_validation(const ReportedRun& run);

}  // namespace nystrom
