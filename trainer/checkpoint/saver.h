#pragma once
// Collective checkpointing: rank 0 writes in the background, all ranks agree on what is saved and learn of
// failures. Every call is collective unless documented otherwise.

#include <memory>
#include <optional>
#include <string>

#include "trainer/checkpoint/background.h"
#include "trainer/comm/comm.h"
#include "trainer/metrics/observer.h"

namespace nystrom {

struct SaverOptions {
  std::string folder;  ///< empty: nothing is saved
  KeepPolicy keep;
  std::int64_t failures_allowed = 3;  ///< consecutive failures allowed; one more ends the run
  /// A write without progress for so long ends the run.
  double timeout_seconds = CommOptions().timeout_seconds;
};

class CheckpointSaver {
 public:
  /// Not collective; rank 0 allocates the snapshot. All must outlive it.
  CheckpointSaver(const SaverOptions& options, Comm& comm, const Network& network, const Optimizer& optimizer,
                  const RunIdentity& identity, Observer& observer);
  /// Finishes the checkpoint in progress, unless the disk hangs.
  ~CheckpointSaver();
  CheckpointSaver(const CheckpointSaver&) = delete;
  CheckpointSaver& operator=(const CheckpointSaver&) = delete;

  /// Starts a checkpoint of `state`, after waiting for the previous one. With `must` it waits for the new one
  /// too, and throws Error on all ranks if it cannot be written. Throws Error where the ranks are not at the
  /// same step, and where the write makes no progress.
  void save(Context& context, const RunState& state, std::optional<double> validation, bool must);
  /// Waits for the checkpoint in progress; gives up where too many failed.
  void finish();

  /// Not collective: reports a finished or failed checkpoint to the observer.
  void poll();
  /// Not collective, for rank 0: more checkpoints failed than are allowed. All ranks must then call
  /// give_up().
  [[nodiscard]] bool too_many_failures() const { return failures_ > options_.failures_allowed; }
  /// Throws Error on all ranks, naming what failed.
  [[noreturn]] void give_up();

 private:
  void require_same_state(const RunState& state);
  enum class Writing { kDone, kMoves, kHangs };
  [[nodiscard]] Writing wait_a_little();
  void wait_together();
  void gather_states();
  void begin(Context& context, const RunState& state, std::optional<double> validation);
  void failed(const std::string& path, const std::string& problem);

  SaverOptions options_;
  Comm& comm_;
  const Network& network_;
  const Optimizer& optimizer_;
  Observer& observer_;
  std::unique_ptr<CheckpointWriter> writer_;  // on rank 0
  double pause_ = 0;                          // seconds that training paused for the one in progress
  bool must_ = false;                         // the one in progress is waited for
  std::uint64_t progress_ = 0;                // of the one in progress, when last polled
  double still_seconds_ = 0;                  // without progress, while it was waited for
  std::int64_t failures_ = 0;                 // consecutive
  std::string problem_;                       // of the last one, if it failed
};

}  // namespace nystrom
