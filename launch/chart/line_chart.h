#pragma once
// Line chart as inline SVG: axes with ticks, lines with bands and dots, marks at steps. Colours are classes
// of chart_style(), so that one drawing serves light and dark pages.

#include <cstddef>
#include <string>
#include <vector>

#include "launch/chart/scale.h"

namespace nystrom {

struct Point {
  double x = 0, y = 0;
};

/// The least and the most at x.
struct Spread {
  double x = 0, low = 0, high = 0;
};

struct Line {
  enum class Look {
    kStrong,  ///< a line
    kDotted,  ///< a line with a dot at each point, which shows its value under the pointer
    kFaint,   ///< a thin line behind the others
    kDots     ///< dots alone
  };
  std::string name;           ///< in the legend; empty: not there
  std::vector<Point> points;  ///< in the order of x; points that are not finite interrupt the line
  std::vector<Spread> band = {};
  std::size_t color = 0;  ///< of the palette
  bool dashed = false;
  Look look = Look::kStrong;
};

/// What happened at x.
struct Mark {
  enum class Kind {
    kResume,      ///< a vertical line
    kCheckpoint,  ///< a small triangle on the axis
    kBest,        ///< a vertical line, with its name above
  };
  double x = 0;
  std::string name;
  Kind kind = Kind::kCheckpoint;
};

struct LineChart {
  std::string title;           ///< says to those who cannot see the chart what it shows
  std::string x_name, y_name;  ///< with the unit: "tokens/s"
  std::vector<Line> lines;
  std::vector<Mark> marks = {};
  Scale x_scale = Scale::kLinear, y_scale = Scale::kLinear;
  bool from_zero = false;  ///< a linear y begins at 0
  bool whole_x = false;    ///< x counts: steps, epochs
};

/// Colours of the palette; those of lines beyond it repeat, dashed.
inline constexpr std::size_t kPaletteSize = 7;

/// The size of the drawing: text of 12 units is readable where this is as wide as a phone.
inline constexpr double kChartWidth = 440, kChartHeight = 260;

/// Is there a point that the scales can show?
[[nodiscard]] bool has_points(const LineChart& chart);

/// <svg>; names are escaped. On a log scale points at or below zero are left out.
[[nodiscard]] std::string svg_of(const LineChart& chart);

/// Exponential moving average over about `window` points to either side, so that it does not lag behind;
/// points that are not finite stay. window <= 1: the points themselves.
[[nodiscard]] std::vector<Point> smoothed(const std::vector<Point>& points, double window);

}  // namespace nystrom
