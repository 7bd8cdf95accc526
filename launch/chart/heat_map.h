#pragma once
// Heat map as inline SVG: a rectangle of cells shaded by their values.

#include <string>
#include <vector>

#include "launch/chart/scale.h"

namespace nystrom {

struct HeatMap {
  std::string title;
  std::string across, down;          ///< what columns and rows are
  std::vector<std::string> columns;  ///< labels; those for which there is no room are left out
  std::vector<std::string> rows;
  std::vector<std::vector<double>> values;  ///< [rows][columns] what a cell is shaded by; not finite: empty
  /// [rows][columns] written into the cells where they fit, and shown under the pointer; or empty.
  std::vector<std::vector<std::string>> texts = {};
  Scale scale = Scale::kLinear;
  bool from_zero = false;  ///< the lightest shade is 0, not the least value
  std::vector<std::pair<std::size_t, std::size_t>> framed = {};  ///< cells (row, column) with a frame
};

/// Cells beyond this in a row or a column are not drawn by anybody: callers summarize before.
inline constexpr std::size_t kMaxCells = 128;

/// <svg>; labels are escaped, long ones cut. Preconditions: at least one row and column, at most kMaxCells of
/// each, and `values` of that shape.
[[nodiscard]] std::string svg_of(const HeatMap& map);

}  // namespace nystrom
