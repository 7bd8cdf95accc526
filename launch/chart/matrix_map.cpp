#include "launch/chart/matrix_map.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "kernels/core/check.h"
#include "kernels/core/html.h"

namespace nystrom {
namespace {

using Paths = std::array<std::string, kShades + 1>;  // by shade; 0 is not drawn

std::string paths_svg(const Paths& paths, const char* style) {
  std::string svg;
  for (int shade = 1; shade <= kShades; ++shade)
    if (const std::string& path = paths[static_cast<std::size_t>(shade)]; !path.empty())
      svg += fmt::format("<path class=\"{}\" fill-opacity=\"{:.3f}\" d=\"{}\"/>\n", style,
                         static_cast<double>(shade) / kShades, path);
  return svg;
}

}  // namespace

std::string svg_of(const MatrixMap& map) {
  NYSTROM_CHECK(
      map.values.size() == map.rows * map.columns && map.rows > 0 && map.columns > 0 && map.most > 0,
      "{} values of {} x {}", map.values.size(), map.rows, map.columns);
  Paths plus, minus;
  for (std::size_t r = 0; r < map.rows; ++r)
    for (std::size_t c = 0; c < map.columns; ++c) {
      const double value = map.values[r * map.columns + c];
      if (!std::isfinite(value)) continue;
      const double share = std::min(1.0, std::abs(value) / map.most);
      const auto shade = static_cast<std::size_t>(std::lround(share * kShades));
      (value < 0 ? minus : plus)[shade] += fmt::format("M{} {}h1v1h-1z", c, r);
    }
  return fmt::format(
      "<svg class=\"matrix\" viewBox=\"0 0 {0} {1}\" role=\"img\" aria-label=\"{2}\" "
      "shape-rendering=\"crispEdges\">\n<rect class=\"matrix-edge\" width=\"{0}\" height=\"{1}\"/>\n{3}{4}</svg>\n",
      map.columns, map.rows, html_escaped(map.title), paths_svg(plus, "shade"),
      paths_svg(minus, "shade minus"));
}

double max_magnitude(std::span<const double> values) {
  double most = 0;
  for (const double value : values)
    if (std::isfinite(value)) most = std::max(most, std::abs(value));
  return most > 0 ? most : 1;
}

}  // namespace nystrom
