#pragma once
// A chart as a standalone SVG file, for documents and papers.

#include <string>

#include "launch/chart/line_chart.h"

namespace nystrom {

/// The chart with its legend, style and background: light, or dark where the reader's system is. No entry of
/// the legend where the chart has a single line; names are escaped.
[[nodiscard]] std::string standalone_svg(const LineChart& chart);

}  // namespace nystrom
