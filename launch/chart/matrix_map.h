#pragma once
// A matrix as inline SVG without labels: many small cells, shaded by their values.

#include <span>
#include <string>

namespace nystrom {

struct MatrixMap {
  std::string title;
  std::size_t rows = 0, columns = 0;
  std::span<const double> values;  ///< [rows, columns]
  double most = 1;                 ///< the magnitude of the darkest shade; above 0
};

/// Shades of a map.
inline constexpr int kShades = 16;

/// <svg>: a path for each shade, cells of one unit. A value below half a shade is not drawn; a negative one
/// has another colour.
[[nodiscard]] std::string svg_of(const MatrixMap& map);

/// The largest magnitude, or 1 if all are 0.
[[nodiscard]] double max_magnitude(std::span<const double> values);

}  // namespace nystrom
