#pragma once
// Losses that jump: how far a step's loss lies above the mean of the steps before it, in standard deviations.
//
// Mean and variance are exponential averages over about `window` steps that were not spikes, the plain ones
// until there were as many: after count n, a = max(1/n, 1/window), d = L - mean,
//   mean += a d,  variance = (1 - a)(variance + a d²).
// z = (L - mean) / max(sqrt(variance), 1e-6 |mean|). No verdict before `window` steps.

#include <cstdint>

#include "trainer/checkpoint/run_state.h"

namespace nystrom {

/// What to do about a step that went wrong.
enum class OnTrouble {
  kIgnore,    ///< go on as if nothing had been
  kStop,      ///< end the run; nothing of the step is saved
  kSkip,      ///< the weights stay as they were, the step counts
  kRollBack,  ///< back to the newest whole checkpoint, and past the samples since then
};

struct SpikeOptions {
  OnTrouble action = OnTrouble::kIgnore;
  double z_score = 8;         ///< above which a loss is a spike
  std::int64_t window = 200;  ///< steps
};

/// Spikes one after another after which the loss is not spiking but has risen: a fault to look at.
inline constexpr std::int64_t kMaxSpikesInARow = 20;

/// Counts a loss in, unless it is a spike; gives its z-score (0 before there is a verdict).
double judge_loss(double loss, const SpikeOptions& options, LossStatistics& statistics);

}  // namespace nystrom
