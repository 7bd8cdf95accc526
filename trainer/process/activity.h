#pragma once
// Current activity of a rank: its step, phase, and the collective that it waits for; read by another thread
// for the heartbeat file (trainer/run/heartbeat.h), and recorded where the run is traced.

#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>

#include "kernels/core/trace.h"

namespace nystrom {

/// Thread-safe. One thread writes; others read.
class Activity {
 public:
  struct Now {
    std::int64_t step = 0;
    std::string phase;  ///< "forward and backward"
    double phase_seconds = 0;
    std::string waits_for;  ///< the collective that is waited for, or empty
    double wait_seconds = 0;
  };

  void set_step(std::int64_t step) {
    const std::scoped_lock held(mutex_);
    step_ = step;
    if (trace_ == nullptr) return;
    trace_->close(Trace::Kind::kPhase);
    trace_->open(Trace::Kind::kStep, "step", step);
  }
  [[nodiscard]] std::int64_t step() const {
    const std::scoped_lock held(mutex_);
    return step_;
  }
  /// Begins a phase. `what` must have static lifetime: a literal.
  void set_phase(std::string_view what) {
    const std::scoped_lock held(mutex_);
    phase_ = what;
    phase_start_ = Clock::now();
    if (trace_ != nullptr) trace_->open(Trace::Kind::kPhase, what);
  }
  /// Between the two this rank waits for others; `what` must outlive the wait.
  void begin_wait(std::string_view what) {
    const std::scoped_lock held(mutex_);
    waits_for_ = what;
    wait_start_ = Clock::now();
  }
  void end_wait() {
    const std::scoped_lock held(mutex_);
    if (trace_ != nullptr)
      trace_->add({.name = waits_for_,
                   .kind = Trace::Kind::kWait,
                   .begin_ns = Trace::nanoseconds(wait_start_),
                   .end_ns = Trace::now()});
    waits_for_ = {};
  }
  /// Steps, phases, waits and collectives are recorded in `trace` from now on; null: no longer.
  void set_trace(Trace* trace) {
    const std::scoped_lock held(mutex_);
    trace_ = trace;
  }
  [[nodiscard]] Trace* trace() const {
    const std::scoped_lock held(mutex_);
    return trace_;
  }
  [[nodiscard]] Now now() const {
    const std::scoped_lock held(mutex_);
    const auto since = [now = Clock::now()](Clock::time_point start) {
      return std::chrono::duration<double>(now - start).count();
    };
    return {.step = step_,
            .phase = std::string(phase_),
            .phase_seconds = since(phase_start_),
            .waits_for = std::string(waits_for_),
            .wait_seconds = waits_for_.empty() ? 0 : since(wait_start_)};
  }

 private:
  using Clock = std::chrono::steady_clock;

  mutable std::mutex mutex_;
  std::int64_t step_ = 0;
  Trace* trace_ = nullptr;
  std::string_view phase_ = "start", waits_for_;
  Clock::time_point phase_start_ = Clock::now(), wait_start_ = phase_start_;
};

/// Scope in which a rank waits for others.
class WaitScope {
 public:
  WaitScope(Activity& activity, std::string_view what) : activity_(activity) { activity_.begin_wait(what); }
  ~WaitScope() { activity_.end_wait(); }
  WaitScope(const WaitScope&) = delete;
  WaitScope& operator=(const WaitScope&) = delete;

 private:
  Activity& activity_;
};

}  // namespace nystrom
