#pragma once
// Correlations of numbers, as scipy.stats defines them. NaN where one side is constant or has fewer than two
// values.

#include <span>

namespace nystrom {

[[nodiscard]] double pearson_correlation(std::span<const double> x, std::span<const double> y);

/// Pearson's correlation of the ranks; equal values share the mean of their ranks.
[[nodiscard]] double spearman_correlation(std::span<const double> x, std::span<const double> y);

[[nodiscard]] double mean_squared_difference(std::span<const double> x, std::span<const double> y);

}  // namespace nystrom
