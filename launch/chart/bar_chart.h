#pragma once
// Stacked horizontal bars as inline SVG.

#include <string>
#include <vector>

namespace nystrom {

struct BarChart {
  std::string title;
  std::string x_name;               ///< what is counted
  std::vector<std::string> series;  ///< parts of a bar, from the left
  struct Row {
    std::string label;
    std::vector<double> values;  ///< of each series, >= 0
  };
  std::vector<Row> rows;
};

/// <svg>; labels are escaped, long ones cut. Each part has a tooltip. Preconditions: at least one row with a
/// value above 0, and as many values in each as series.
[[nodiscard]] std::string svg_of(const BarChart& chart);

/// True if there is something to draw.
[[nodiscard]] bool has_bars(const BarChart& chart);

/// Each row divided by its sum: the shares of its parts.
[[nodiscard]] BarChart as_shares(BarChart chart);

}  // namespace nystrom
