#pragma once
// Figure of a page: a caption, a legend, one drawing or several views of it between which the reader chooses
// without a script, and a note.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "launch/chart/line_chart.h"

namespace nystrom {

struct View {
  std::string name;  ///< "linear"; not shown where there is one view
  std::string svg;
};

struct LegendEntry {
  std::string name;
  std::size_t color = 0;
  bool dashed = false, dotted = false;
  bool filled = false;  ///< of an area, such as a bar
};

struct Figure {
  std::string id;  ///< of the page: letters, digits and -; keeps the reader's choice when the page is renewed
  std::string caption;  ///< these are escaped
  std::vector<LegendEntry> legend = {};
  std::vector<View> views;
  std::string note = {};
};

[[nodiscard]] std::string html_of(const Figure& figure);

/// Entries of the lines that have names and points.
[[nodiscard]] std::vector<LegendEntry> legend_of(const LineChart& chart);

struct FigureOptions {
  std::string id, caption, note = {};
  bool log_y = true;  ///< a view with a logarithmic y, where all its points are above zero
  /// The chart with points for a logarithmic x: a third view, where there is the second.
  std::optional<LineChart> log_x = {};
};
/// A figure of a chart with linear axes. Empty where there is nothing to show.
[[nodiscard]] std::string figure_of(const LineChart& chart, const FigureOptions& options);

/// The style sheet of charts and figures, light and dark.
[[nodiscard]] std::string_view chart_style();

}  // namespace nystrom
