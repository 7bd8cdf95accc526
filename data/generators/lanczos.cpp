#include "data/generators/lanczos.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "kernels/core/check.h"

namespace nystrom {
namespace {

double sinc(double x) {
  return x == 0 ? 1 : std::sin(std::numbers::pi * x) / (std::numbers::pi * x);
}

double kernel(double x) {
  return std::abs(x) < 3 ? sinc(x) * sinc(x / 3) : 0;
}

}  // namespace

LanczosShrink::LanczosShrink(int from, int to) : taps_(static_cast<std::size_t>(to)) {
  NYSTROM_CHECK(to > 0 && to <= from, "{} pixels from {}", to, from);
  const double scale = static_cast<double>(from) / to;
  for (int i = 0; i < to; ++i) {
    const double centre = (i + 0.5) * scale;
    Taps& taps = taps_[static_cast<std::size_t>(i)];
    taps.first = std::max(0, static_cast<int>(centre - 3 * scale + 0.5));
    double sum = 0;
    for (int x = taps.first; x < std::min(from, static_cast<int>(centre + 3 * scale + 0.5)); ++x) {
      taps.weights.push_back(kernel((x - centre + 0.5) / scale));
      sum += taps.weights.back();
    }
    for (double& weight : taps.weights) weight /= sum;
  }
}

double LanczosShrink::as_byte(double value) {
  return std::clamp(std::floor(value + 0.5), 0.0, 255.0);
}

}  // namespace nystrom
