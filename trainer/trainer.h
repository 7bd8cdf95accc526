#pragma once
// Training loop. Trainer::step() is one training step, top to bottom: next batch, forward, backward,
// all-reduce, clipping, optimizer, metrics; Trainer::run() repeats it with validation and checkpoints. Every
// dependency can be made by hand, so tests and other commands drive the loop with a network and batches of
// their own.
//
//   Trainer trainer(options, {context, comm, network, batches, &validation, observer});
//   trainer.restore(checkpoint_path);          // optional
//   StopReason why = trainer.run();

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "kernels/tensor/bound_threads.h"
#include "kernels/tensor/graphs.h"
#include "model/network.h"
#include "trainer/batches/batch_source.h"
#include "trainer/checkpoint/run_state.h"
#include "trainer/checkpoint/saver.h"
#include "trainer/comm/comm.h"
#include "trainer/comm/reducer.h"
#include "trainer/guards/step_guard.h"
#include "trainer/in_batch_pass.h"
#include "trainer/metrics/evaluation.h"
#include "trainer/metrics/gradient_noise.h"
#include "trainer/metrics/observer.h"
#include "trainer/metrics/pinv_residuals.h"
#include "trainer/metrics/step_clock.h"
#include "trainer/metrics/step_profile.h"
#include "trainer/optimizer/optimizer.h"
#include "trainer/optimizer/schedule.h"
#include "trainer/optimizer/weight_exchange.h"

namespace nystrom {

struct TrainerOptions {
  std::int64_t steps = 0;  ///< S
  std::uint64_t seed = 1;
  Objective objective;
  std::optional<InBatchOptions> in_batch = {};  ///< of embeddings: their loss couples the rows of a batch
  OptimizerOptions optimizer;
  ScheduleOptions schedule;
  double clip_norm = 1.0;                     ///< 0: no clipping
  OnTrouble on_nonfinite = OnTrouble::kStop;  ///< not kIgnore
  SpikeOptions spike;
  std::int64_t bucket_bytes = 0;  ///< of the all-reduce; 0: automatic_bucket_bytes()
  bool bf16_reduction = false;    ///< all-reduce gradients in bf16
  bool cuda_graph = false;        ///< capture a micro-batch's ops as a CUDA graph
  bool zero = false;              ///< ZeRO stage 1: optimizer state sharded across ranks
  std::int64_t log_every = 1;
  std::int64_t pinv_residual_every = 0;  ///< steps; 0: never
  std::int64_t noise_scale_every = 0;    ///< steps; 0: never
  bool report_batch = false;             ///< the size of the global batch changes
  double pinv_residual_limit = 0;        ///< warn when a layer's largest residual exceeds it; 0: never
  std::int64_t check_every = 0;          ///< steps between checks for silent data corruption; 0: never
  std::int64_t validate_every = 0;       ///< steps; 0: never
  std::int64_t validation_batches = 50;  ///< maximum
  EvaluatedWeights evaluated_weights = EvaluatedWeights::kTrained;
  std::string checkpoint_folder;  ///< empty: no checkpoints
  std::int64_t save_every = 0;    ///< steps; 0: at the end only
  KeepPolicy keep;                ///< which checkpoints are kept
  /// Consecutive checkpoints that may fail before the run stops.
  std::int64_t failures_allowed = SaverOptions().failures_allowed;
  /// A checkpoint write without progress for so long ends the run.
  double timeout_seconds = CommOptions().timeout_seconds;
  RunIdentity identity;    ///< stored in every checkpoint
  ProfileOptions profile;  ///< needs a trace
  /// Called on every rank at each step: why the job should stop, or "". Signals are checked anyway.
  std::function<std::string()> stop_reason = {};
};

/// Refuses, naming the keys, what contradicts itself; the ranges of single keys are the configuration
/// table's.
void check_trainer_options(const TrainerOptions& options);

/// What a trainer works with. All must outlive it. The network is planned for the sources' limits.
struct TrainerDependencies {
  Context& context;
  Comm& comm;
  Network& network;
  BatchSource& batches;
  BatchSource* validation = nullptr;
  Observer& observer;                    ///< called on rank 0 only
  DeviceReduction* reduction = nullptr;  ///< collectives on a device
  SequenceGroup* group = nullptr;        ///< shares the batches, where they are spans
  Trace* trace = nullptr;                ///< that the sources' threads are recorded in, if it is to be
};

class Trainer {
 public:
  Trainer(const TrainerOptions& options, const TrainerDependencies& dependencies);
  Trainer(const Trainer&) = delete;
  Trainer& operator=(const Trainer&) = delete;

  /// Resumes from a checkpoint: weights, optimizer state, counters. Rank 0 reads the file. Collective.
  void restore(const std::string& checkpoint);

  /// Trains until all steps are done or a stop is requested; saves a checkpoint at the last step. Throws
  /// Error where the ranks' options or weights differ at the start (naming the rank), where a loss or
  /// gradient is not finite or spikes and the options say stop (naming step and tensor; no checkpoint is
  /// written), where a check for silent data corruption fails, where the last checkpoint or too many in a row
  /// cannot be written; and CommTimeout. Checkpoints are written in the background; when this returns all are
  /// on the disk.
  StopReason run() { return run_until(options_.steps); }
  /// The same, but pauses (kDone) when `step` steps are done; call again to continue.
  StopReason run_until(std::int64_t step);

  /// One training step: from the next global batch to new weights. Collective.
  StepReport step();

  /// Calls body() while the network's passes read the weights that are evaluated: the average of them where
  /// the options say so and there was an update. If body() throws, this rank has the weights of training
  /// again, but where the state is sharded (ZeRO) the other ranks' parts of them stay averaged. Collective.
  void with_evaluated_weights(const std::function<void()>& body);

  [[nodiscard]] const RunState& state() const { return state_; }

 private:
  /// Sums over the global batch.
  struct BatchCounts {
    std::array<double, kMaxLosses> labels{};
    double sequences = 0, real_tokens = 0;
  };
  /// What any rank asked for in this step.
  struct Requests {
    bool stop = false, save = false;
    bool give_up = false;  // too many checkpoints could not be written
  };

  StepReport step_with_context();
  [[nodiscard]] BatchCounts count(const StepBatch& batch);
  [[nodiscard]] Pass training_pass() const;
  void self_check(const StepBatch& batch, const LossScales& scales);
  void forward_backward(const StepBatch& batch, const BatchCounts& counts, const LossScales& scales);
  void compute_in_batch_loss(const StepBatch& batch, const Pass& pass);
  void measure_noise(const HostBatch& micro_batch, const BatchCounts& counts);
  void settle();
  void forward(const Batch& batch, const Pass& pass, const LossScales& scales);
  [[nodiscard]] Losses reduce_losses(GradientNorm& gradient);
  void agree_on_norm(double square, GradientNorm& gradient);
  void update_weights(const UpdateRates& rates, double gradient_norm);
  void sum_over_ranks(const Tensor& values);
  void swap_average();
  void take_back_average();
  [[nodiscard]] StepReport finish_step(const BatchCounts& counts, const Losses& losses, double gradient_norm,
                                       const UpdateRates& rates);
  void check_ranks_agree();
  void roll_back();
  void report_step(StepReport& report);
  void validate();
  void save_if_due(bool last, bool stop);
  void save(bool must);
  void finish_profile(bool ends);
  void note_stop();

  TrainerOptions options_;
  Context& context_;
  Comm& comm_;
  Network& network_;
  ParameterStore& store_;  // of the network
  BatchSource& batches_;
  BatchSource* validation_batches_;
  Observer& observer_;
  DeviceReduction* reduction_;
  std::unique_ptr<Optimizer> optimizer_;
  WeightExchange exchange_;  // of the optimizer's shards
  GradientClip clip_;
  GradientReducer reducer_;
  BatchBuffer buffer_;
  std::optional<InBatchPass> in_batch_;
  std::unique_ptr<OpGraphs> graphs_;  // null: ops are launched one by one
  StepGuard guard_;
  PinvResidualMonitor residuals_;
  GradientNoiseMonitor noise_;
  BoundThreads bound_;
  RunState state_;
  StepVerdict verdict_ = StepVerdict::kGood;  // on the last step
  Requests requests_;
  std::string stop_reason_;                // this rank's
  std::optional<double> validation_loss_;  // at this step, if it was measured
  StepClock clock_;
  StepProfile profile_;
  bool ranks_agree_ = false;  // checked before the first step
  CheckpointSaver saver_;     // reads weights and optimizer: destroyed first
};

}  // namespace nystrom
