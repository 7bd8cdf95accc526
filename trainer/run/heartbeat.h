#pragma once
// Heartbeats: each rank keeps a small file in the run directory with its current activity, updated by a
// thread, so that it stays current while a collective hangs. `nystrom doctor --job DIR` and SIGUSR2 read
// them.
//
//   DIR/ranks/rank-00003      "key=value" lines, padded to a fixed size, overwritten in place
//
// A few hundred bytes per heartbeat; the interval grows with the number of ranks, so that the file system
// sees the same number of writes per second for any job size.

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "trainer/process/activity.h"

namespace nystrom {

struct Heartbeat {
  int rank = 0, ranks = 1;
  std::string host;
  std::int64_t process = 0;
  Activity::Now doing;
  double written = 0;  ///< Unix time, by the clock of `host`
  double every = 1;    ///< seconds between two heartbeats
};

/// Heartbeat interval of each rank in a job of `ranks` ranks.
[[nodiscard]] double heartbeat_seconds(int ranks);

[[nodiscard]] std::string heartbeat_folder(const std::string& directory);
[[nodiscard]] std::string heartbeat_path(const std::string& directory, int rank);

/// Writes the file; false on failure (the next heartbeat tries again).
bool write_heartbeat(const std::string& directory, const Heartbeat& beat) noexcept;
/// Heartbeats of all ranks that have one, in rank order; unreadable ones are skipped.
[[nodiscard]] std::vector<Heartbeat> read_heartbeats(const std::string& directory);
/// Removes the files of a job that was killed.
void remove_heartbeats(const std::string& directory);

/// A table of the ranks, and a sentence on the suspect: the one that others wait for, or that sends no
/// heartbeat. `now` in Unix time. Empty where there are no heartbeats.
[[nodiscard]] std::string job_report(const std::vector<Heartbeat>& beats, double now);
/// The same for a run directory, now; takes a few seconds if a rank looks dead. Refuses (InputError) one in
/// which no job runs.
[[nodiscard]] std::string job_report(const std::string& directory);

/// Distinguishes dead ranks from ranks whose clock differs. A heartbeat that looks old, or comes
/// from the future, is checked again until it changes; its rank is silent if it stays the same for as long
/// as several heartbeats take by the clock of this process.
class JobWatch {
 public:
  using Clock = std::chrono::steady_clock;

  explicit JobWatch(std::string directory) : directory_(std::move(directory)) {}

  /// Reads the heartbeats. True once it is known of each rank whether it lives. `now`: Unix time.
  bool look(double now, Clock::time_point clock = Clock::now());
  /// job_report() of what was seen, and a sentence on each machine with another time.
  [[nodiscard]] std::string report() const;
  [[nodiscard]] bool empty() const { return beats_.empty(); }

 private:
  struct First {
    double written = 0;
    Clock::time_point seen;
  };
  /// Corrects the time of a heartbeat to this machine's; false while it is not known whether its rank lives.
  bool settle(Heartbeat& beat, Clock::time_point clock);

  std::string directory_;
  double now_ = 0;
  std::vector<Heartbeat> beats_;
  std::map<int, First> first_;            // by rank
  std::map<std::string, double> clocks_;  // of hosts: seconds ahead of this machine's
};

/// Unix time in seconds.
[[nodiscard]] double unix_seconds();

}  // namespace nystrom
