#include "launch/chart/bar_chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "kernels/core/check.h"
#include "kernels/core/html.h"
#include "launch/chart/label.h"
#include "launch/chart/line_chart.h"
#include "launch/chart/scale.h"

namespace nystrom {
namespace {

constexpr double kWidth = 440, kLeft = 116, kRight = 18, kTop = 4, kRow = 26, kBar = 17, kBelow = 38;
constexpr std::size_t kLabel = 16;  // characters

double sum_of(const BarChart::Row& row) {
  return std::accumulate(row.values.begin(), row.values.end(), 0.0);
}

std::string bar_svg(const BarChart& chart, const BarChart::Row& row, const Axis& axis, double top) {
  std::string svg = fmt::format("<text class=\"name end\" x=\"{}\" y=\"{:.1f}\">{}</text>\n", kLeft - 8,
                                top + kBar - 4, html_escaped(short_label(row.label, kLabel)));
  double begin = 0;
  for (std::size_t i = 0; i < row.values.size(); ++i) {
    const double from = axis.at(begin), to = axis.at(begin + row.values[i]);
    begin += row.values[i];
    if (row.values[i] <= 0) continue;
    svg += fmt::format(
        "<rect class=\"bar c{}{}\" x=\"{:.2f}\" y=\"{:.1f}\" width=\"{:.2f}\" height=\"{}\">"
        "<title>{}</title></rect>\n",
        i % kPaletteSize, i < kPaletteSize ? "" : " pale", from, top, to - from, kBar,
        html_escaped(fmt::format("{}, {}: {}", row.label, chart.series[i], number_text(row.values[i]))));
  }
  return svg;
}

std::string axis_svg(const BarChart& chart, const Axis& axis, double bottom) {
  std::string svg;
  for (const Tick& tick : ticks(Scale::kLinear, axis.low, axis.high, 4))
    svg += fmt::format(
        "<line class=\"grid\" x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1}\" y2=\"{2:.1f}\"/>"
        "<text class=\"across\" x=\"{0:.1f}\" y=\"{3:.1f}\">{4}</text>\n",
        axis.at(tick.value), kTop, bottom, bottom + 14, tick.label);
  return svg + fmt::format("<text class=\"name end\" x=\"{}\" y=\"{:.1f}\">{}</text>\n", kWidth - kRight,
                           bottom + 31, html_escaped(chart.x_name));
}

}  // namespace

std::string svg_of(const BarChart& chart) {
  NYSTROM_CHECK(has_bars(chart), "{} rows without a value", chart.rows.size());
  Axis axis{.begin = kLeft, .end = kWidth - kRight};
  axis.high = 0;
  for (const BarChart::Row& row : chart.rows) {
    NYSTROM_CHECK(row.values.size() == chart.series.size(), "{} values of {} series", row.values.size(),
                  chart.series.size());
    axis.high = std::max(axis.high, sum_of(row));
  }
  const double bottom = kTop + kRow * static_cast<double>(chart.rows.size());
  std::string svg = fmt::format("<svg class=\"bars\" viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\">\n",
                                kWidth, bottom + kBelow, html_escaped(chart.title)) +
                    axis_svg(chart, axis, bottom);
  for (std::size_t r = 0; r < chart.rows.size(); ++r)
    svg += bar_svg(chart, chart.rows[r], axis, kTop + kRow * static_cast<double>(r) + (kRow - kBar) / 2);
  return svg + "</svg>\n";
}

bool has_bars(const BarChart& chart) {
  return std::ranges::any_of(chart.rows, [](const BarChart::Row& row) { return sum_of(row) > 0; });
}

BarChart as_shares(BarChart chart) {
  for (BarChart::Row& row : chart.rows)
    if (const double sum = sum_of(row); sum > 0)
      for (double& value : row.values) value /= sum;
  return chart;
}

}  // namespace nystrom
