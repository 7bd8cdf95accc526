#include "trainer/metrics/gradient_noise.h"

#include <array>
#include <cmath>

#include "kernels/rows.h"

namespace nystrom {

std::optional<GradientNoise> gradient_noise(double small_square, double inverse_b, double large_square,
                                            double large) {
  const double difference = inverse_b - 1 / large;
  if (!(difference > 1e-12) || !std::isfinite(small_square) || !std::isfinite(large_square))
    return std::nullopt;
  const double trace = (small_square - large_square) / difference;
  return GradientNoise{.trace = trace, .square = large_square - trace / large};
}

void GradientNoiseMonitor::begin_step(std::int64_t step) {
  active_ = every_ > 0 && step % every_ == 0;
  square_ = inverse_ = count_ = 0;
  measured_.reset();
}

void GradientNoiseMonitor::measure(Context& context, const Tensor& gradients, double sequences,
                                   double share) {
  if (!(share > 0) || !(sequences > 0)) return;
  square_ = squared_norm(context, gradients) / (share * share);
  inverse_ = 1 / sequences;
  count_ = 1;
}

void GradientNoiseMonitor::finish(double sequences, double norm) {
  if (!active_) return;
  active_ = false;
  std::array sums{square_, inverse_, count_};
  comm_.all_reduce(sums, "the gradient noise");
  if (sums[2] == 0) return;
  measured_ = gradient_noise(sums[0] / sums[2], sums[1] / sums[2], norm * norm, sequences);
  if (!measured_) return;
  window_.push_back(*measured_);
  if (window_.size() > kWindow) window_.pop_front();
}

void GradientNoiseMonitor::report(StepReport& report) {
  if (!measured_) return;
  GradientNoise sum;
  for (const GradientNoise& each : window_) {
    sum.trace += each.trace;
    sum.square += each.square;
  }
  report.gradient_noise = {.trace = measured_->trace,
                           .square = measured_->square,
                           .scale = sum.square > 0 ? sum.trace / sum.square : std::nan("")};
}

}  // namespace nystrom
