#pragma once
// Background checkpoints: the values are copied, and a thread writes the copy while training continues.
//
//   CheckpointWriter writer(network, optimizer, identity, {.folder = folder});
//   writer.start(context, state, {}, [] {});        // returns once the copy is made
//   ...steps...
//   if (auto result = writer.take_result()) use(result->problem);
//
// A writer is used from one thread. Its destructor finishes the checkpoint in progress.

#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>

#include "kernels/core/trace.h"
#include "trainer/checkpoint/checkpoint.h"
#include "trainer/checkpoint/content.h"

namespace nystrom {

struct CheckpointResult {
  std::int64_t step = 0;
  std::string path;
  std::string problem;  ///< empty: the file is written, verified and published
  double seconds = 0;   ///< the thread's time to write, flush and read back
  std::uint64_t bytes = 0;
};

class CheckpointWriter {
 public:
  /// Allocates memory for a copy of weights and optimizer state. All must outlive the writer.
  CheckpointWriter(const Network& network, const Optimizer& optimizer, const RunIdentity& identity,
                   std::string folder, KeepPolicy keep);

  /// Copies the values and starts to write them. `before_publishing` is called by the writing thread when the
  /// data is on the disk, before the file is renamed; what it throws is a failure of the checkpoint. The
  /// thread's work is recorded in `trace`, which may be null. Precondition: ready(), and the last result was
  /// taken.
  void start(Context& context, const RunState& state, std::optional<double> validation,
             std::function<void()> before_publishing, Trace* trace = nullptr);
  /// Where sharded state must be gathered before start(). Precondition: ready().
  [[nodiscard]] std::vector<Tensor> state_copies() const { return snapshot_.state_copies(); }
  /// No checkpoint is in progress; waits at most so long for that.
  [[nodiscard]] bool ready(std::chrono::milliseconds wait = std::chrono::milliseconds(0)) const;
  /// Result of the last checkpoint, once it is known; returned once.
  [[nodiscard]] std::optional<CheckpointResult> take_result();
  /// A counter that changes whenever the writing thread makes progress.
  [[nodiscard]] std::uint64_t progress() const { return progress_; }
  /// Gives up a writer whose disk hangs: its file will never be published. Its thread and memory stay until
  /// the process ends, which should be soon.
  static void abandon(std::unique_ptr<CheckpointWriter> writer);

 private:
  [[nodiscard]] CheckpointResult write(const std::function<void()>& before_publishing);

  CheckpointSnapshot snapshot_;
  std::string folder_;
  KeepPolicy keep_;
  std::atomic<std::uint64_t> progress_ = 0;
  std::atomic<bool> abandoned_ = false;
  std::future<CheckpointResult> under_way_;  // its destructor waits
};

}  // namespace nystrom
