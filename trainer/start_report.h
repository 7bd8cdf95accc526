#pragma once
// Report on a start of a run, made without writing anything: `nystrom check`.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kernels/core/stage.h"
#include "trainer/metrics/observer.h"
#include "trainer/trainer.h"

namespace nystrom {

/// Memory that rank 0 takes for one purpose.
struct MemoryPart {
  std::string_view name;  ///< "weights", "activations", ...
  std::size_t bytes = 0;
};

/// Steps of one micro-batch a rank, at full weights: what a step of the run repeats.
struct TimedSteps {
  std::int64_t steps = 0;      ///< 0: none was timed
  std::int64_t sequences = 0;  ///< of all of them, over all ranks
  double seconds = 0;          ///< of all of them
  double tokens_per_second = 0;
};

/// What to time before a run.
struct TimingPlan {
  std::int64_t steps = 0;   ///< of training; 0: none
  double memory_bytes = 0;  ///< that this rank's machine has for all of its ranks; 0: unknown
};

struct StartReport {
  std::string backend = {};  ///< "cpu" or "cuda", as in training.backend
  RunInfo info;              ///< info.first_step > info.steps: the run is done, and nothing was timed
  std::vector<MemoryPart> memory = {};
  std::size_t checkpoint_bytes = 0;
  std::int64_t sequences_left = 0;  ///< to the end of the run
  std::vector<std::pair<std::string, double>> epochs =
      {};  ///< of each corpus at the end; empty where unknown
  std::vector<std::pair<std::string, std::int64_t>> rows = {};  ///< of each split of a task
  TimedSteps timed = {};

  /// Of the rest of the run, without evaluations and checkpoints; 0 if nothing was timed.
  [[nodiscard]] double seconds_left() const;
};

struct MemoryOptions {
  const Network& network;  ///< planned
  const OptimizerOptions& optimizer;
  int state_ranks = 1;     ///< that the optimizer's state is sharded across
  bool bf16_sums = false;  ///< gradients have a copy in bf16
  BatchLimits limits;
  std::optional<InBatchOptions> in_batch = {};  ///< of embeddings
};
[[nodiscard]] std::vector<MemoryPart> memory_parts(const MemoryOptions& options);
[[nodiscard]] std::size_t checkpoint_bytes(const Network& network, const OptimizerOptions& optimizer);

/// Sequences of a global batch that gives every rank one micro-batch, where the batch has that many.
[[nodiscard]] std::int64_t timed_batch(std::int64_t global_batch, std::int64_t micro_batch, int ranks);

/// `options` without whatever a run writes, evaluates or measures besides training, and long enough for
/// `steps` timed ones.
[[nodiscard]] TrainerOptions timing_options(TrainerOptions options, std::int64_t steps);

/// Of the plan's steps: 0 if the planned memory (of rank 0, for each) exceeds that of some rank's machine,
/// where the steps would take other programs' memory, or end the check. Collective.
[[nodiscard]] std::int64_t steps_to_time(const TimingPlan& plan, const StartReport& report, Comm& comm);

/// Observer of the trainer that it measures.
class StepMeter final : public Observer {
 public:
  void step(const StepReport& report) override {
    reports_.push_back(report);
    if (stage_) stage_->advance();
  }
  /// Trains a step to warm up, then `steps` more; none at all if `steps` is 0. The speed in tokens is rank
  /// 0's alone to know. Collective. Once.
  [[nodiscard]] TimedSteps measure(Trainer& trainer, std::int64_t steps);

 private:
  std::vector<StepReport> reports_;
  std::optional<Stage> stage_;  // while it measures
};

}  // namespace nystrom
