#pragma once
// One job in one run directory. The lock is a file that appears by link(2), which is exclusive on network
// file systems too, and that its owner keeps beating; no flock, which not all of them have.
//
//   DIR/lock      who holds it: host, process, since when, and the number of beats
//
// The lock of a dead job is taken over: of a process of this machine it is known at once; of another
// machine's it is dead when it does not beat for kSilence while this one looks, whatever the clocks say.

#include <chrono>
#include <functional>
#include <mutex>
#include <string>

#include "trainer/process/process_info.h"

namespace nystrom {

struct LockTimes {
  std::chrono::milliseconds beat{10'000};     ///< between two beats
  std::chrono::milliseconds silence{45'000};  ///< without one, a foreign lock is dead
  /// A job of this machine that was just killed may need so long to go.
  std::chrono::milliseconds patience{5'000};
};

class RunLock {
 public:
  /// Makes the directory if need be. Refuses (InputError) where a living job holds the lock, naming host and
  /// process. `note` hears a sentence where a dead job's lock is taken over, or its death is waited for.
  RunLock(std::string directory, const std::function<void(const std::string&)>& note,
          const LockTimes& times = {});
  /// Gives the lock back, and removes a directory that it made and that is still empty.
  ~RunLock();
  RunLock(const RunLock&) = delete;
  RunLock& operator=(const RunLock&) = delete;

  /// Shows that the owner lives; to be called often, by one thread: writes when it is time.
  void beat();
  /// Throws Error if the lock was taken over by another job (this one was suspended for long, say).
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
