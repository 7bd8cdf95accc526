#pragma once
// Metrics files of a run, written by rank 0: metrics.jsonl and TensorBoard events.

#include <string>

#include "trainer/metrics/metrics.h"
#include "trainer/metrics/tensorboard.h"
#include "trainer/run/run_directory.h"

namespace nystrom {

/// Observers of rank 0: the files of the run directory, then the caller's.
class RunFiles {
 public:
  RunFiles(const std::string& directory, std::int64_t step, Observer& observer)
      : metrics_(metrics_path(directory), step, warn(observer)), events_(directory, step, warn(observer)) {
    all_.add(metrics_);
    all_.add(events_);
    all_.add(observer);
  }
  [[nodiscard]] Observer& all() { return all_; }

 private:
  static AppendFile::Warn warn(Observer& observer) {
    return [&observer](const std::string& sentence) { observer.warning(sentence); };
  }

  MetricsFile metrics_;
  TensorBoardFile events_;
  Observers all_;
};

}  // namespace nystrom
