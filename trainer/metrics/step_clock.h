#pragma once
// Step timing: tokens per second since the last report, estimated time left.

#include <chrono>
#include <cstdint>

namespace nystrom {

class StepClock {
 public:
  void begin_step() { step_start_ = Clock::now(); }
  void end_step(double real_tokens) {
    const double spent = last_step_ = since(step_start_);
    seconds_ += spent;
    tokens_ += real_tokens;
    // The first step warms caches up; later ones weigh in slowly, so that the estimate does not jump.
    average_ = average_ == 0 ? spent : average_ + 0.05 * (spent - average_);
  }
  [[nodiscard]] double last_step_seconds() const { return last_step_; }
  /// Tokens a second of the steps since the last call.
  double take_speed() {
    const double speed = seconds_ > 0 ? tokens_ / seconds_ : 0;
    seconds_ = tokens_ = 0;
    return speed;
  }
  [[nodiscard]] double seconds_for(std::int64_t steps) const { return average_ * static_cast<double>(steps); }
  /// Seconds since the last call, or since the clock was made.
  double take_elapsed() {
    const double spent = since(last_);
    last_ = Clock::now();
    return spent;
  }

 private:
  using Clock = std::chrono::steady_clock;
  static double since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
  }

  Clock::time_point step_start_ = Clock::now(), last_ = Clock::now();
  double seconds_ = 0, tokens_ = 0, average_ = 0, last_step_ = 0;
};

}  // namespace nystrom
