#pragma once
// Loss spikes: z-score of a step's loss against the mean and standard deviation of the previous steps.
//
// Mean and variance are exponential averages over about `window` steps that were not spikes, plain averages
// until there were that many: after count n, a = max(1/n, 1/window), d = L - mean,
//   mean += a d,  variance = (1 - a)(variance + a d²).
// z = (L - mean) / max(sqrt(variance), 1e-6 |mean|). No verdict before `window` steps.

#include <cstdint>

#include "kernels/core/names.h"
#include "trainer/checkpoint/run_state.h"

namespace nystrom {

/// What to do about a step with a non-finite number or a loss spike.
enum class OnTrouble {
  kIgnore,    ///< continue and update the weights
  kStop,      ///< end the run; nothing of the step is saved
  kSkip,      ///< leave the weights unchanged; the step counts
  kRollBack,  ///< restore the latest valid checkpoint and skip the samples read since then
};

template <>
struct EnumNames<OnTrouble> {
  static constexpr Named<OnTrouble> kAll[] = {{OnTrouble::kIgnore, "ignore"},
                                              {OnTrouble::kStop, "stop"},
                                              {OnTrouble::kSkip, "skip"},
                                              {OnTrouble::kRollBack, "rollback"}};
};

struct SpikeOptions {
  OnTrouble action = OnTrouble::kIgnore;
  double z_score = 8;         ///< above which a loss is a spike
  std::int64_t window = 200;  ///< steps
};

/// Consecutive spikes after which training is considered to diverge.
inline constexpr std::int64_t kMaxSpikesInARow = 20;

/// Adds a loss to the statistics, unless it is a spike; returns its z-score (0 during the first `window`
/// steps).
double judge_loss(double loss, const SpikeOptions& options, LossStatistics& statistics);

}  // namespace nystrom
