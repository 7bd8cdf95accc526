#pragma once
// Lifetime of a run on every rank: signal handling, directory lock, heartbeats, and stop requests by signal,
// file or time limit.
//
//   RunSession session({.directory = d, .stop_after_seconds = s}, comm, observer);   // rank 0 locks
//   ... rank 0 prepares the directory, all ranks are notified ...
//   session.begin();                                                                // heartbeats
//   trainer_options.stop_reason = [&] { return session.stop_reason(); };

#include <atomic>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "trainer/comm/comm.h"
#include "trainer/metrics/observer.h"
#include "trainer/process/signals.h"
#include "trainer/run/heartbeat.h"
#include "trainer/run/run_lock.h"

namespace nystrom {

struct SessionOptions {
  std::string directory;          ///< run.directory
  double stop_after_seconds = 0;  ///< since the start of the process; 0: no limit
  /// Called with the report of all ranks that SIGUSR2 requests, on rank 0, from another thread.
  std::function<void(const std::string&)> report = {};
  bool takeover = false;  ///< take the lock whatever its owner does
};

class RunSession {
 public:
  /// Locks the directory on rank 0, creating it if necessary. Throws as RunLock does.
  RunSession(const SessionOptions& options, Comm& comm, Observer& observer);
  ~RunSession();
  RunSession(const RunSession&) = delete;
  RunSession& operator=(const RunSession&) = delete;

  /// The directory is ready for all ranks: starts the heartbeats.
  void begin();

  /// Why this rank requests a stop now: a signal, the file DIR/stop, the time limit. Empty: it does not.
  /// Cheap. Throws Error where another job has taken over the directory.
  [[nodiscard]] std::string stop_reason() const;

  /// Before files of the directory are written: throws Error where another job has taken it over. On ranks
  /// other than 0, which write none, nothing happens. Any thread; waits for the disk.
  void require_lock() {
    if (lock_) lock_->confirm();
  }

 private:
  void watch(const std::stop_token& stop);
  void beat_if_due(bool asked);
  void look_for_stop_file();

  SessionOptions options_;
  Comm& comm_;
  SignalWatch signals_;
  std::optional<RunLock> lock_;  // on rank 0
  Heartbeat heart_;
  double last_beat_ = 0;
  std::chrono::steady_clock::time_point deadline_ = std::chrono::steady_clock::time_point::max();
  std::atomic<bool> stop_file_{false};
  std::optional<std::jthread> thread_;
};

/// "11h45m", "90s", "2d12h", "3600": seconds. Refuses (InputError) anything else, naming `key`.
[[nodiscard]] double duration_seconds(const std::string& text, std::string_view key);

}  // namespace nystrom
