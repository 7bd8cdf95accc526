#pragma once
// The training loop. Trainer::step is a step, top to bottom; everything that it is given can be made by hand,
// so tests (and other commands) drive it with a network and batches of their own.
//
//   Trainer trainer(options, {context, comm, network, batches, &validation, observer});
//   trainer.restore(checkpoint_path);          // or not
//   StopReason why = trainer.run();

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kernels/tensor/graphs.h"
#include "model/network.h"
#include "trainer/batches/batch_source.h"
#include "trainer/checkpoint/run_state.h"
#include "trainer/checkpoint/saver.h"
#include "trainer/comm/comm.h"
#include "trainer/comm/reducer.h"
#include "trainer/guards/spike_guard.h"
#include "trainer/metrics/evaluation.h"
#include "trainer/metrics/observer.h"
#include "trainer/metrics/pinv_residuals.h"
#include "trainer/metrics/step_clock.h"
#include "trainer/optimizer/optimizer.h"
#include "trainer/optimizer/schedule.h"

namespace nystrom {

struct TrainerOptions {
  std::int64_t steps = 0;  ///< S
  std::uint64_t seed = 1;
  Objective objective;
  OptimizerOptions optimizer;
  ScheduleOptions schedule;
  double clip_norm = 1.0;                     ///< 0: no clipping
  OnTrouble on_nonfinite = OnTrouble::kStop;  ///< not kIgnore
  SpikeOptions spike;
  std::int64_t bucket_bytes = kDefaultBucketBytes;
  bool bf16_reduction = false;  ///< gradients are summed over ranks in bf16
  bool cuda_graph = false;      ///< a micro-batch's ops are recorded and started together, on a GPU
  bool zero = false;            ///< each rank has the optimizer's state of its part of the weights only
  std::int64_t log_every = 1;
  std::int64_t pinv_residual_every = 0;  ///< steps; 0: never
  double pinv_residual_limit = 0;        ///< a layer's largest residual above it is warned about; 0: never
  std::int64_t check_every = 0;          ///< steps between checks for silent corruption; 0: never
  std::int64_t validate_every = 0;       ///< steps; 0: never
  std::int64_t validation_batches = 50;  ///< at most
  std::string checkpoint_folder;         ///< empty: no checkpoints
  std::int64_t save_every = 0;           ///< steps; 0: at the end only
  KeepPolicy keep;                       ///< which checkpoints stay
  std::int64_t failures_allowed = 3;     ///< checkpoints in a row that may fail before the run stops
  double timeout_seconds = 600;          ///< a checkpoint's writing that stands still so long ends the run
  RunIdentity identity;                  ///< goes into every checkpoint
  /// Asked on every rank at each step: why the job should stop, or "". Signals are known without it.
  std::function<std::string()> stop_reason = {};
};

/// What a trainer works with. All must outlive it. The network is planned for the sources' limits.
struct TrainerDependencies {
  Context& context;
  Comm& comm;
  Network& network;
  BatchSource& batches;
  BatchSource* validation = nullptr;
  Observer& observer;                    ///< called on rank 0 alone
  DeviceReduction* reduction = nullptr;  ///< of gradients that lie on a device
};

class Trainer {
 public:
  Trainer(const TrainerOptions& options, const TrainerDependencies& parts);
  Trainer(const Trainer&) = delete;
  Trainer& operator=(const Trainer&) = delete;

  /// Goes on from a checkpoint: weights, moments, counters. Rank 0 reads, the others are told.
  void restore(const std::string& checkpoint);

  /// Steps until all are done or a signal asks to stop. A checkpoint is written at the last step.
  /// Throws Error where the ranks' options or weights differ at the start (naming the rank), where a loss or
  /// gradient is not finite or spikes and the options say stop (naming step and tensor; no checkpoint is
  /// written), where a check for silent corruption fails, where the last checkpoint could not be written or
  /// too many in a row, and CommTimeout. Checkpoints are written while the run goes on; when this returns all
  /// are on the disk.
  StopReason run() { return run_until(options_.steps); }
  /// The same, but pauses (kDone) when `step` steps are done; to be called again with more.
  StopReason run_until(std::int64_t step);

  /// One step: from the next global batch to new weights.
  StepReport step();

  [[nodiscard]] const RunState& state() const { return state_; }

 private:
  /// What the ranks ask of each other at the end of a step.
  struct Requests {
    bool stop = false, save = false;
    bool give_up = false;  // too many checkpoints could not be written
  };
  /// step(), an error of the GPU named with rank and step.
  StepReport step_with_context();
  [[nodiscard]] std::array<double, kMaxLosses + 2> count(const StepBatch& batch);
  void forward_backward(const StepBatch& batch, const LossScales& scales);
  [[nodiscard]] Losses sum_losses();
  [[nodiscard]] bool is_good(std::int64_t step, const Losses& losses, const GradientNorm& gradient);
  void exchange_weights();
  void give_up_step(OnTrouble action, const std::string& what, const std::string& advice);
  void roll_back();
  void self_check(const StepBatch& batch, const LossScales& scales);
  void warn_of_residuals(const StepReport& report);
  void collect_residuals(std::int64_t offset, std::int64_t sequences);
  void report_residuals(StepReport& report);
  void check_ranks_agree();
  void report(StepReport& report);
  void validate();
  void save(bool must);

  TrainerOptions options_;
  TrainerDependencies parts_;
  std::unique_ptr<Optimizer> optimizer_;
  GradientClip clip_;
  GradientReducer reducer_;
  BatchBuffer buffer_;
  std::unique_ptr<OpGraphs> graphs_;  // null: ops are started one by one
  RunState state_;
  Requests requests_;
  std::string stop_reason_;            // this rank's
  bool roll_back_ = false;             // wanted by the step that was just done
  int rollbacks_ = 0;                  // since the last checkpoint
  std::vector<bool> residual_warned_;  // by layer: it is above the limit, and was said to be
  std::optional<double> validation_;   // loss at this step, where it was measured
  StepClock clock_;
  std::optional<PinvResiduals> residuals_;  // in steps that collect them
  bool ranks_agree_ = false;                // checked before the first step
  CheckpointSaver saver_;                   // reads weights and optimizer; the first to go
};

}  // namespace nystrom
