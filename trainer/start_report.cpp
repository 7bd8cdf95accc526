#include "trainer/start_report.h"

#include <algorithm>
#include <array>

#include "trainer/batches/micro_batch.h"
#include "trainer/in_batch_pass.h"

namespace nystrom {

double StartReport::seconds_left() const {
  if (timed.sequences == 0) return 0;
  return timed.seconds / static_cast<double>(timed.sequences) * static_cast<double>(sequences_left);
}

std::size_t checkpoint_bytes(const Network& network, const OptimizerOptions& optimizer) {
  const ParameterStore& store = network.parameters();
  return store.weights().bytes() + optimizer_state_bytes(optimizer, store);
}

std::vector<MemoryPart> memory_parts(const MemoryOptions& options) {
  const ParameterStore& store = options.network.parameters();
  const std::size_t weights = store.weights().bytes();
  std::vector<MemoryPart> parts{
      {"weights", weights},
      {"weights in bf16", store.rounded_copy().empty() ? 0 : store.rounded_copy().bytes()},
      {"gradients", weights},
      {"gradients in bf16", options.bf16_sums ? weights / 2 : 0},
      {"optimizer state", optimizer_bytes(options.optimizer, store, options.state_ranks)},
      {"activations", options.network.arena().bytes()},
      {"in-batch loss",
       options.in_batch ? InBatchPass::planned_bytes(options.network, *options.in_batch) : 0},
      {"batches", batch_bytes(options.limits)},
      {"copy for checkpoints", checkpoint_bytes(options.network, options.optimizer)}};
  std::erase_if(parts, [](const MemoryPart& part) { return part.bytes == 0; });
  return parts;
}

std::int64_t timed_batch(std::int64_t global_batch, std::int64_t micro_batch, int ranks) {
  return std::min(global_batch, micro_batch * ranks);
}

TrainerOptions timing_options(TrainerOptions options, std::int64_t steps) {
  options.checkpoint_folder.clear();
  options.stop_reason = {};
  options.profile = {};
  options.steps += steps + 1;  // so that the last step of the run is not reached
  options.log_every = 1;
  options.spike.action = OnTrouble::kIgnore;
  options.on_nonfinite = OnTrouble::kStop;
  options.validate_every = options.save_every = options.check_every = options.pinv_residual_every = 0;
  options.noise_scale_every = 0;
  return options;
}

std::int64_t steps_to_time(const TimingPlan& plan, const StartReport& report, Comm& comm) {
  double wanted = 0;
  for (const MemoryPart& part : report.memory) wanted += static_cast<double>(part.bytes);
  wanted *= comm.local_ranks();
  std::array<double, 1> machines_too_small{
      report.backend == "cpu" && plan.memory_bytes > 0 && wanted > plan.memory_bytes ? 1.0 : 0.0};
  comm.all_reduce(machines_too_small, "the memory of the machines");
  return machines_too_small[0] > 0 ? 0 : plan.steps;
}

TimedSteps StepMeter::measure(Trainer& trainer, std::int64_t steps) {
  TimedSteps timed;
  if (steps == 0) return timed;
  stage_.emplace("timing steps", static_cast<double>(steps + 1));
  const std::int64_t first = trainer.state().step;
  (void)trainer.run_until(first + 1);
  const RunState before = trainer.state();
  (void)trainer.run_until(first + 1 + steps);
  stage_.reset();
  const RunState& after = trainer.state();
  timed = {.steps = after.step - before.step,
           .sequences = after.samples - before.samples,
           .seconds = after.seconds - before.seconds};
  double tokens = 0;
  for (std::size_t i = 1; i < reports_.size(); ++i)
    tokens += reports_[i].tokens_per_second * (reports_[i].seconds - reports_[i - 1].seconds);
  if (timed.seconds > 0) timed.tokens_per_second = tokens / timed.seconds;
  return timed;
}

}  // namespace nystrom
