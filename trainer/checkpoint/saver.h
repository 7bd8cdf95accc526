#pragma once
// Saving as the ranks see it: rank 0 writes, in the background; all agree on what is saved and learn how it
// went. Every call is collective unless it says otherwise.

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
  std::int64_t failures_allowed = 3;  ///< in a row; more end the run
  double timeout_seconds = 600;       ///< a writing that does not move on for so long ends the run
};

class CheckpointSaver {
 public:
  /// Not collective; rank 0 takes the memory of the copy. All must outlive it.
  CheckpointSaver(const SaverOptions& options, Comm& comm, const Network& network, const Optimizer& optimizer,
                  const RunIdentity& identity, Observer& observer);
  /// What is under way is finished, unless the disk hangs.
  ~CheckpointSaver();
  CheckpointSaver(const CheckpointSaver&) = delete;
  CheckpointSaver& operator=(const CheckpointSaver&) = delete;

  /// Begins a checkpoint of `state`. With `must` it is waited for, and Error is thrown on all ranks if it
  /// cannot be written. Otherwise it goes on in the background; the one before, if it is still being written,
  /// is waited for. Throws Error where the ranks do not stand at the same step, and where the one under way
  /// does not move on.
  void save(Context& context, const RunState& state, std::optional<double> validation, bool must);
  /// Waits until nothing is being written, and gives up as below.
  void finish();

  /// Not collective: tells the observer of a checkpoint that is done, or was not to be done.
  void poll();
  /// Not collective; meant on rank 0: more failed than are allowed. All ranks then call give_up.
  [[nodiscard]] bool too_many_failures() const { return failures_ > options_.failures_allowed; }
  /// Throws Error on all ranks, saying what failed.
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
  double pause_ = 0;                          // seconds that the run stood still for the one under way
  bool must_ = false;                         // the one under way
  std::uint64_t progress_ = 0;                // of the one under way, when it was last looked at
  double still_seconds_ = 0;                  // that it has not moved on since, while it was waited for
  std::int64_t failures_ = 0;                 // in a row
  std::string problem_;                       // of the last one, if it failed
};

}  // namespace nystrom
