#pragma once
// Published results on the Long Range Arena.

#include <array>
#include <span>
#include <string_view>

namespace nystrom {

/// Accuracies in percent; 0: none. In the order listops, text, retrieval, image, pathfinder.
struct PublishedRow {
  std::string_view model;
  std::array<double, 5> accuracy;
  std::string_view source;
};

[[nodiscard]] std::span<const PublishedRow> published_rows();

/// "LRA ListOps" and so on.
[[nodiscard]] std::span<const std::string_view, 5> lra_titles();

/// What is known of the inputs and recipes of a source; empty: nothing.
struct PublishedSource {
  std::string_view source, remark;
};
[[nodiscard]] std::span<const PublishedSource> published_sources();

/// Accuracy of the best guess from the first levels of a ListOps expression: 0 (the most frequent class)
/// to 3. Measured on 8,000 expressions of the benchmark's rule; a test measures it again.
[[nodiscard]] std::span<const double, 4> listops_levels();

}  // namespace nystrom
