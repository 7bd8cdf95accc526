#pragma once
// Checkpoints written while the run goes on: the values are copied, a thread writes the copy.
//
//   CheckpointWriter writer(network, optimizer, identity, {.folder = folder});
//   writer.start(context, state, {}, [] {});        // returns once the copy is made
//   ...steps...
//   if (auto result = writer.take_result()) use(result->problem);
//
// One thread uses a writer. What is under way when it is destroyed is finished.

#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>

#include "trainer/checkpoint/checkpoint.h"
#include "trainer/checkpoint/content.h"

namespace nystrom {

struct CheckpointResult {
  std::int64_t step = 0;
  std::string path;
  std::string problem;  ///< empty: it is on the disk, read back, under its name
  double seconds = 0;   ///< that the thread wrote, flushed and read back
  std::uint64_t bytes = 0;
};

class CheckpointWriter {
 public:
  /// Takes the memory of a copy of weights and optimizer state. All must outlive the writer.
  CheckpointWriter(const Network& network, const Optimizer& optimizer, const RunIdentity& identity,
                   std::string folder, KeepPolicy keep);

  /// Copies the values and begins to write them. `before_publishing` is called by the writing thread when all
  /// is on the disk, before the file gets its name; what it throws is a failure of the checkpoint.
  /// Precondition: ready(), and the last result was taken.
  void start(Context& context, const RunState& state, std::optional<double> validation,
             std::function<void()> before_publishing);
  /// Where state that is dealt to ranks is to be gathered before start(). Precondition: ready().
  [[nodiscard]] std::vector<Tensor> state_copies() const { return snapshot_.state_copies(); }
  /// Nothing is under way, waiting at most so long for it.
  [[nodiscard]] bool ready(std::chrono::milliseconds wait = std::chrono::milliseconds(0)) const;
  /// How the last one went, once it is known; given once.
  [[nodiscard]] std::optional<CheckpointResult> take_result();
  /// Another number each time that the writing thread has moved on.
  [[nodiscard]] std::uint64_t progress() const { return progress_; }
  /// For a writer whose disk hangs, and whose end nobody can wait for: what it writes will never get its
  /// name. Its thread and its memory stay until the process ends, which should be soon.
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
