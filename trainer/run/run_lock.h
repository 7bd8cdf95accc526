#pragma once
// Run directory lock: one job per run directory. The lock is a file created by link(2), which is exclusive on
// network file systems too, with a heartbeat of its owner; no flock, which not all of them support.
//
//   DIR/lock      its owner: host, process, since when, and the number of heartbeats
//
// The lock of a dead job is taken over: that of a local process at once; that of another machine when its
// heartbeat does not change for `silence` while this job watches, whatever the clocks say.

#include <chrono>
#include <functional>
#include <mutex>
#include <string>

#include "trainer/process/process_info.h"

namespace nystrom {

struct LockTimes {
  std::chrono::milliseconds beat{10'000};     ///< heartbeat interval
  std::chrono::milliseconds silence{45'000};  ///< without a heartbeat, a remote lock is dead
  /// A local job that was just killed may need so long to exit.
  std::chrono::milliseconds patience{5'000};
};

class RunLock {
 public:
  /// Creates the directory if necessary. Refuses (InputError) where a live job holds the lock, naming host
  /// and process. `note` is called with a sentence where a dead job's lock is taken over, or a heartbeat is
  /// waited for.
  RunLock(std::string directory, const std::function<void(const std::string&)>& note,
          const LockTimes& times = {});
  /// Releases the lock, and removes the directory if it created it and it is still empty.
  ~RunLock();
  RunLock(const RunLock&) = delete;
  RunLock& operator=(const RunLock&) = delete;

  /// Heartbeat; call often, from one thread: writes when the interval is over.
  void beat();
  /// Throws Error if another job took the lock over (after a long suspension of this one, say).
  void check() const;

  [[nodiscard]] static std::string path_in(const std::string& directory);

 private:
  [[nodiscard]] std::string claim_path() const;
  [[nodiscard]] std::string content() const;
  [[nodiscard]] std::string write_mine() const;
  [[nodiscard]] bool try_to_make(const std::string& path) const;
  [[nodiscard]] bool take_over(const std::string& found) const;

  std::string directory_, path_, token_, since_;
  ProcessInfo self_;
  LockTimes times_;
  bool made_directory_ = false;
  std::int64_t beats_ = 0;
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
  mutable std::mutex mutex_;  // check() may come from another thread, and must not wait for a slow disk
  std::string lost_to_;       // who took it over
};

}  // namespace nystrom
