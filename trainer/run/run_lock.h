#pragma once
// Run directory lock: one job per run directory. The lock is a file created by link(2), which is exclusive on
// network file systems too, with a heartbeat of its owner; no flock, which not all of them support.
//
//   DIR/lock      its owner: host, process, since when, and the number of heartbeats
//
// A lock is taken over where its owner is dead: a process of this machine that is gone, at once; one of
// another machine whose heartbeat does not change for `silence` while this job watches, whatever the clocks
// say. Where neither is known (a lock that cannot be read, a process that the system hides), the owner
// counts as alive.

#include <chrono>
#include <functional>
#include <mutex>
#include <string>

#include "trainer/process/process_info.h"

namespace nystrom {

struct LockReading;  // run_lock.cpp

struct LockTimes {
  std::chrono::milliseconds beat{10'000};     ///< heartbeat interval
  std::chrono::milliseconds silence{45'000};  ///< without a heartbeat, a remote lock is dead
  /// A local job that was just killed may need so long to exit.
  std::chrono::milliseconds patience{5'000};
  /// The owner looks at the lock before it writes a file, unless it did so within this time.
  std::chrono::milliseconds trust{1'000};
};

class RunLock {
 public:
  /// Creates the directory if necessary. Refuses (InputError) where a live job holds the lock, naming host
  /// and process, or one that may be alive. `note` is called with a sentence where a lock is taken over, or a
  /// heartbeat is waited for. With `takeover` the lock is taken whatever its owner does.
  RunLock(std::string directory, const std::function<void(const std::string&)>& note,
          const LockTimes& times = {}, bool takeover = false);
  /// Releases the lock, and removes the directory if it created it and it is still empty.
  ~RunLock();
  RunLock(const RunLock&) = delete;
  RunLock& operator=(const RunLock&) = delete;

  /// Heartbeat; call often, from one thread: writes when the interval is over.
  void beat();
  /// Throws Error if it is known that another job took the lock over (after a long suspension of this one,
  /// say). Any thread.
  void check() const;
  /// The same, but reads the lock first if it was not read within `trust`: before this job writes
  /// what another job would write too. Any thread; waits for the disk.
  void confirm();
  /// The lock was taken from an owner that may still be alive. It had time to notice; a process that was
  /// suspended in the middle of a call may still write to files that it has open.
  [[nodiscard]] bool owner_may_write() const { return owner_may_write_; }

  [[nodiscard]] static std::string path_in(const std::string& directory);

  /// Refuses what the constructor would refuse, as far as that can be determined at once and without writing:
  /// a directory that cannot be created or written, and a live job of this machine. `note` is called with a
  /// sentence where a job of another machine holds the lock.
  static void check(const std::string& directory, const std::function<void(const std::string&)>& note);

 private:
  void acquire(const std::function<void(const std::string&)>& note, bool takeover);
  [[nodiscard]] std::string claim_path() const;
  [[nodiscard]] std::string content() const;
  [[nodiscard]] std::string write_mine() const;
  [[nodiscard]] bool try_to_make(const std::string& path) const;
  [[nodiscard]] bool take_over(const std::string& found, bool unread) const;
  bool still_mine(const LockReading& reading);

  std::string directory_, path_, token_, since_;
  ProcessInfo self_;
  LockTimes times_;
  bool made_directory_ = false, owner_may_write_ = false;
  std::int64_t beats_ = 0;
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
  mutable std::mutex mutex_;  // of the members below; nothing waits for a disk while it is held
  std::string lost_to_;       // who took it over
  double confirmed_ = 0;      // when it was last seen to be this job's: seconds that count while asleep too
};

}  // namespace nystrom
