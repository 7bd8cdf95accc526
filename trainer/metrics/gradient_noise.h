#pragma once
// Gradient noise scale (McCandlish et al., arXiv 1812.06162, appendix A): B = tr(S) / |G|^2, where G is the
// true gradient and S the covariance of one sequence's. Batches much smaller than B waste steps, much larger
// ones waste sequences.
//
// From the mean gradient of a small batch of b sequences and of a large one of B:
//   E |G_b|^2 = |G|^2 + tr(S) / b, so with 1/b averaged over several small batches, as |G_b|^2 is,
//   tr(S) = (|G_b|^2 - |G_B|^2) / (1/b - 1/B),  |G|^2 = |G_B|^2 - tr(S) / B.
// Both are unbiased, and noisy: the scale is the ratio of their sums over the latest measurements.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>

#include "kernels/tensor/context.h"
#include "kernels/tensor/tensor.h"
#include "trainer/comm/comm.h"
#include "trainer/metrics/observer.h"

namespace nystrom {

struct GradientNoise {
  double trace = 0;   ///< estimate of tr(S)
  double square = 0;  ///< estimate of |G|^2
};

/// small_square: mean |G_b|^2, with inverse_b the mean 1/b. Nothing if b is not smaller than `large`.
[[nodiscard]] std::optional<GradientNoise> gradient_noise(double small_square, double inverse_b,
                                                          double large_square, double large);

/// Small batches are the first micro-batches of the ranks, the large one is the global batch.
///
///   monitor.begin_step(step);
///   ... after the first micro-batch's backward, before gradients are summed over ranks:
///   if (monitor.active()) monitor.measure(context, gradients, sequences, share);
///   monitor.finish(sequences_of_all, gradient_norm); ... monitor.report(step_report);
class GradientNoiseMonitor {
 public:
  static constexpr std::size_t kWindow = 50;  ///< measurements that a scale is taken from

  /// `every` steps; 0: never. `comm` outlives this.
  GradientNoiseMonitor(std::int64_t every, Comm& comm) : every_(every), comm_(comm) {}

  void begin_step(std::int64_t step);
  /// This step is measured: gradients are summed over ranks after the whole backward.
  [[nodiscard]] bool active() const { return active_; }
  /// `gradients` of `sequences` sequences, as they will be added to the others: times `share` of the mean
  /// gradient. A rank without a share does not count. The host waits for the device.
  void measure(Context& context, const Tensor& gradients, double sequences, double share);
  /// `norm` of the sum. Collective where the step is measured.
  void finish(double sequences, double norm);
  /// Fills the report where the step was measured.
  void report(StepReport& report);

 private:
  std::int64_t every_;
  Comm& comm_;
  bool active_ = false;
  double square_ = 0, inverse_ = 0, count_ = 0;  // of this rank's small batch
  std::optional<GradientNoise> measured_;        // in this step
  std::deque<GradientNoise> window_;
};

}  // namespace nystrom
