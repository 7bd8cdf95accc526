#pragma once
// Step guard: what happens to a step whose loss or gradients are wrong. A non-finite number
// (`training.on_nonfinite`) or a loss spike (`training.on_spike`) stops the run, skips the update, or rolls
// the run back to the latest valid checkpoint.

#include <cstdint>
#include <string>

#include "trainer/checkpoint/run_state.h"
#include "trainer/comm/comm.h"
#include "trainer/guards/spike_guard.h"
#include "trainer/metrics/observer.h"
#include "trainer/optimizer/optimizer.h"

namespace nystrom {

struct StepGuardOptions {
  OnTrouble on_nonfinite = OnTrouble::kStop;  ///< not kIgnore
  SpikeOptions spike;
  std::string checkpoint_folder;  ///< to roll back to; empty: none
};

enum class StepVerdict {
  kGood,      ///< update the weights
  kSkip,      ///< the weights stay, the step counts
  kRollBack,  ///< the weights stay; call roll_back() after the step
};

class StepGuard {
 public:
  /// `observer` is called on rank 0 only. All must outlive the guard.
  StepGuard(StepGuardOptions options, Comm& comm, ParameterStore& store, Observer& observer)
      : options_(std::move(options)), comm_(comm), store_(store), observer_(observer) {}

  /// Judges a step by its global loss and gradient norm, and counts the loss in. Not collective: every rank
  /// sees the same numbers, so all ranks decide alike. Throws Error, naming step and tensor, where the
  /// options say stop.
  [[nodiscard]] StepVerdict judge(std::int64_t step, const Losses& losses, const GradientNorm& gradient,
                                  LossStatistics& statistics);

  /// Restores the latest valid checkpoint; the run then continues with the batches after those that it has
  /// read, so the batches since the checkpoint are skipped. Collective. Throws Error if there is no
  /// checkpoint, or after three rollbacks without a new one.
  void roll_back(RunState& state, Optimizer& optimizer);
  /// A new checkpoint was saved: rollbacks are counted from zero again.
  void checkpoint_saved() { rollbacks_ = 0; }

 private:
  [[nodiscard]] StepVerdict judge_nonfinite(std::int64_t step, const Losses& losses,
                                            const GradientNorm& gradient);
  [[nodiscard]] StepVerdict judge_spike(std::int64_t step, double loss, double z_score,
                                        const LossStatistics& statistics);
  [[nodiscard]] StepVerdict give_up_step(OnTrouble action, const std::string& what, std::string_view advice);

  StepGuardOptions options_;
  Comm& comm_;
  ParameterStore& store_;
  Observer& observer_;
  int rollbacks_ = 0;  // since the last checkpoint was saved
};

}  // namespace nystrom
