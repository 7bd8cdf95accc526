#include "trainer/guards/step_guard.h"

#include <cmath>

#include "trainer/checkpoint/checkpoint.h"
#include "trainer/checkpoint/restore.h"

namespace nystrom {
namespace {

constexpr int kMaxRollbacks = 3;  // to the same checkpoint

}  // namespace

StepVerdict StepGuard::judge(std::int64_t step, const Losses& losses, const GradientNorm& gradient,
                             LossStatistics& statistics) {
  if (gradient.bad != store_.count() || !std::isfinite(losses.loss))
    return judge_nonfinite(step, losses, gradient);
  if (options_.spike.action == OnTrouble::kIgnore) return StepVerdict::kGood;
  const double z_score = judge_loss(losses.loss, options_.spike, statistics);
  if (z_score <= options_.spike.z_score) return StepVerdict::kGood;
  return judge_spike(step, losses.loss, z_score, statistics);
}

StepVerdict StepGuard::judge_nonfinite(std::int64_t step, const Losses& losses,
                                       const GradientNorm& gradient) {
  const std::string what = gradient.bad == store_.count()
                               ? fmt::format("At step {} the loss is {}", step, losses.loss)
                               : fmt::format("At step {} the gradient of {} is not finite (loss {})", step,
                                             store_[gradient.bad].name, losses.loss);
  return give_up_step(options_.on_nonfinite, what,
                      "Lower `optimizer.learning_rate`, lengthen `schedule.warmup_steps`, or set "
                      "`training.on_nonfinite` to skip or rollback.");
}

StepVerdict StepGuard::judge_spike(std::int64_t step, double loss, double z_score,
                                   const LossStatistics& statistics) {
  const std::string what =
      fmt::format("At step {} the loss is {:.6g}, {:.1f} standard deviations above its mean of {:.6g}", step,
                  loss, z_score, statistics.mean);
  if (statistics.spikes_in_a_row >= kMaxSpikesInARow)
    fail(
        "{}. The loss has spiked for {} consecutive steps: training is diverging. Nothing of this step was "
        "saved. Resume from an earlier checkpoint with a lower `optimizer.learning_rate`, or set "
        "`training.on_spike` to ignore.",
        what, kMaxSpikesInARow);
  return give_up_step(options_.spike.action, what,
                      "Inspect the samples of the step, lower `optimizer.learning_rate`, or set "
                      "`training.on_spike` to skip or rollback.");
}

StepVerdict StepGuard::give_up_step(OnTrouble action, const std::string& what, std::string_view advice) {
  if (action == OnTrouble::kStop) fail("{}. Nothing of this step was saved. {}", what, advice);
  const bool rolls_back = action == OnTrouble::kRollBack;
  if (comm_.rank() == 0)
    observer_.warning(what + (rolls_back ? "; rolling back to the last checkpoint."
                                         : "; the step is skipped, the weights are unchanged."));
  return rolls_back ? StepVerdict::kRollBack : StepVerdict::kSkip;
}

void StepGuard::roll_back(RunState& state, Optimizer& optimizer) {
  const std::int64_t step = state.step, next_batch = state.step + state.batches_skipped;
  std::string path;
  if (comm_.rank() == 0 && !options_.checkpoint_folder.empty())
    path = find_newest_checkpoint(options_.checkpoint_folder).path.value_or("");
  path = comm_.broadcast_text(std::move(path), 0, "the choice of the checkpoint to roll back to");
  if (path.empty())
    fail(
        "The rollback at step {} failed: there is no checkpoint yet. Lower `checkpoint.every_steps`, or "
        "start with a lower `optimizer.learning_rate`.",
        step);
  if (++rollbacks_ > kMaxRollbacks)
    fail(
        "The run was about to roll back from step {} to {} for the {}th time. Resume from an earlier "
        "checkpoint with a lower `optimizer.learning_rate`.",
        step, path, rollbacks_);
  const double seconds = state.seconds;
  state = restore_checkpoint(path, comm_, store_, optimizer);
  state.seconds = seconds;  // the time was spent all the same
  state.batches_skipped = next_batch - state.step;
  if (comm_.rank() != 0) return;
  observer_.rolled_back(state.step);
  observer_.warning(
      fmt::format("The run continues from {} and skips {} global batches.", path, next_batch - state.step));
}

}  // namespace nystrom
