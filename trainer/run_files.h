#pragma once
// What rank 0 keeps of a run beside checkpoints: metrics.jsonl and TensorBoard events.

#include <string>

#include "trainer/metrics.h"
#include "trainer/run_directory.h"
#include "trainer/tensorboard.h"

namespace nystrom {

/// Observers of rank 0: the files of the run directory, then the caller's.
class RunFiles {
 public:
  RunFiles(const std::string& directory, std::int64_t step, Observer& observer)
      : metrics_(metrics_path(directory), step), events_(directory, step) {
    all_.add(metrics_);
    all_.add(events_);
    all_.add(observer);
  }
  [[nodiscard]] Observer& all() { return all_; }

 private:
  MetricsFile metrics_;
  TensorBoardFile events_;
  Observers all_;
};

}  // namespace nystrom
