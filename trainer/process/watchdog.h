#pragma once
// Watchdog for a call that may hang forever and cannot be interrupted.

#include <condition_variable>
#include <functional>
#include <mutex>
#include <stop_token>
#include <thread>
#include <utility>

#include <chrono>

namespace nystrom {

/// Invokes `on_timeout` from a separate thread unless destroyed within `seconds`.
class Watchdog {
 public:
  Watchdog(double seconds, std::function<void()> on_timeout)
      : thread_([seconds, on_timeout = std::move(on_timeout)](const std::stop_token& stop) {
          std::mutex mutex;
          std::condition_variable_any never;
          std::unique_lock held(mutex);
          (void)never.wait_for(held, stop, std::chrono::duration<double>(seconds), [] { return false; });
          if (!stop.stop_requested()) on_timeout();
        }) {}

 private:
  std::jthread thread_;  // its end asks the thread to stop and waits for it
};

}  // namespace nystrom
