#include "data/tasks/metrics/correlation.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "kernels/core/check.h"

namespace nystrom {
namespace {

std::vector<double> mean_ranks(std::span<const double> x) {
  std::vector<std::size_t> order(x.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, {}, [&](std::size_t i) { return x[i]; });
  std::vector<double> ranks(x.size());
  for (std::size_t begin = 0; begin < order.size();) {
    std::size_t end = begin + 1;
    while (end < order.size() && x[order[end]] == x[order[begin]]) ++end;
    for (std::size_t i = begin; i < end; ++i) ranks[order[i]] = static_cast<double>(begin + end - 1) / 2;
    begin = end;
  }
  return ranks;
}

double mean(std::span<const double> x) {
  return std::accumulate(x.begin(), x.end(), 0.0) / static_cast<double>(x.size());
}

}  // namespace

double pearson_correlation(std::span<const double> x, std::span<const double> y) {
  NYSTROM_CHECK(x.size() == y.size(), "{} and {} numbers", x.size(), y.size());
  constexpr double kUndefined = std::numeric_limits<double>::quiet_NaN();
  if (x.size() < 2) return kUndefined;
  const auto varies = [](std::span<const double> v) {
    return std::ranges::any_of(v, [&](double value) { return value != v.front(); });
  };
  if (!varies(x) || !varies(y)) return kUndefined;  // exactly: rounding could hide it in the sums below
  const double mean_x = mean(x), mean_y = mean(y);
  double xx = 0, yy = 0, xy = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    xx += (x[i] - mean_x) * (x[i] - mean_x);
    yy += (y[i] - mean_y) * (y[i] - mean_y);
    xy += (x[i] - mean_x) * (y[i] - mean_y);
  }
  return std::clamp(xy / std::sqrt(xx) / std::sqrt(yy), -1.0, 1.0);
}

double spearman_correlation(std::span<const double> x, std::span<const double> y) {
  return pearson_correlation(mean_ranks(x), mean_ranks(y));
}

double mean_squared_difference(std::span<const double> x, std::span<const double> y) {
  NYSTROM_CHECK(x.size() == y.size(), "{} and {} numbers", x.size(), y.size());
  double sum = 0;
  for (std::size_t i = 0; i < x.size(); ++i) sum += (x[i] - y[i]) * (x[i] - y[i]);
  return x.empty() ? std::numeric_limits<double>::quiet_NaN() : sum / static_cast<double>(x.size());
}

}  // namespace nystrom
