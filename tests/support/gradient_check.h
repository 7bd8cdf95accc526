#pragma once
// Gradient check: a backward pass against central differences in double precision.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <string>

#include "kernels/tensor/tensor.h"

namespace nystrom::testing {

/// Compares `analytic` (dloss/dx, fp64, shape of x) with the five-point difference
/// (8 (loss(x + h) - loss(x - h)) - (loss(x + 2h) - loss(x - 2h))) / 12h, whose error is of fourth order in
/// h, for up to `samples` elements of x (fp64), spread evenly. `loss` recomputes everything from x. The error
/// is relative to the largest gradient seen; the rounding of the losses themselves is allowed for.
inline void expect_gradient(const std::string& what, const Tensor& x, const Tensor& analytic,
                            const std::function<double()>& loss, double tolerance = 1e-6,
                            std::int64_t samples = 64, double h = 1e-5) {
  auto values = x.span<double>();
  const auto gradient = analytic.span<double>();
  ASSERT_EQ(values.size(), gradient.size()) << what;
  double largest = 1e-6;
  for (double g : gradient) largest = std::max(largest, std::abs(g));
  const std::int64_t count = std::min<std::int64_t>(samples, x.numel());
  for (std::int64_t s = 0; s < count; ++s) {
    const auto i = static_cast<std::size_t>(s * x.numel() / count);
    const double kept = values[i];
    const auto loss_at = [&](double steps) {
      values[i] = kept + steps * h;
      const double at = loss();
      values[i] = kept;
      return at;
    };
    const double up = loss_at(1), down = loss_at(-1);
    const double difference = (8 * (up - down) - (loss_at(2) - loss_at(-2))) / (12 * h);
    // Some gradients are zero by nature: then the difference is only the last bits of the losses.
    const double noise = 8 * std::numeric_limits<double>::epsilon() * (std::abs(up) + std::abs(down)) / h;
    EXPECT_NEAR(gradient[i], difference, tolerance * largest + noise) << what << "[" << i << "]";
  }
}

}  // namespace nystrom::testing
