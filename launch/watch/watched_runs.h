#pragma once
// Watched runs: one run directory, or the runs in a directory. What was read of a run is cached,
// so that each poll reads only what is new.

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "launch/report/report.h"
#include "trainer/run/heartbeat.h"

namespace nystrom {

/// A run that is polled.
class WatchedRun {
 public:
  explicit WatchedRun(const std::string& directory);

  /// All that its files say by now.
  [[nodiscard]] ReportedRun look();
  /// What each rank does, a line each; empty where no job runs. Whether a rank is silent is known after some
  /// looks.
  [[nodiscard]] std::string ranks();

 private:
  std::string directory_;
  MetricsFollower metrics_;
  JobWatch job_;
};

/// The end of a run's metrics is enough to list it.
[[nodiscard]] ReportedRun read_end_of_run(const std::string& directory);

class WatchedRuns {
 public:
  /// More runs are not listed.
  static constexpr std::size_t kMaxListed = 200;

  /// Refuses (InputError) a directory that does not exist.
  explicit WatchedRuns(std::string directory);

  [[nodiscard]] const std::string& directory() const { return directory_; }
  /// Is the directory itself a run? A run that has just started may have no metrics yet.
  [[nodiscard]] bool is_one_run() const;
  /// Names of the runs directly below the directory.
  [[nodiscard]] std::vector<std::string> names() const;
  /// The run of a listed name, or with "" the directory itself; nullptr for any other name: what is not a
  /// name of the list is never made a path of.
  [[nodiscard]] WatchedRun* find(std::string_view name);

 private:
  std::string directory_;
  std::map<std::string, std::unique_ptr<WatchedRun>, std::less<>> open_;
};

}  // namespace nystrom
