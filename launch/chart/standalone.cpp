#include "launch/chart/standalone.h"

#include <fmt/format.h>

#include "kernels/core/html.h"
#include "launch/chart/figure.h"
#include "launch/chart/label.h"

namespace nystrom {
namespace {

constexpr double kLine = 18, kLeft = 12, kSwatch = 24, kLetter = 7;  // of the legend

struct Legend {
  std::string svg;
  double height = 0;
};

/// Entries one after another, on as many lines as they need.
Legend legend_svg(const std::vector<LegendEntry>& entries) {
  Legend legend;
  if (entries.size() < 2) return legend;
  double x = kLeft, y = kLine;
  for (const LegendEntry& entry : entries) {
    const std::string name = short_label(entry.name, 40);
    const double width = kSwatch + 6 + kLetter * static_cast<double>(label_length(name)) + 14;
    if (x > kLeft && x + width > kChartWidth) x = kLeft, y += kLine;
    const std::string classes =
        fmt::format("c{}{}", entry.color % kPaletteSize, entry.dashed ? " dashed" : "");
    legend.svg +=
        fmt::format("<path class=\"line {}\" d=\"M{:.1f} {:.1f}h{}\"/>", classes, x, y - 4, kSwatch);
    if (entry.dotted)
      legend.svg += fmt::format("<circle class=\"dot {}\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3\"/>", classes,
                                x + kSwatch / 2, y - 4);
    legend.svg += fmt::format("<text class=\"name\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>\n", x + kSwatch + 6,
                              y, html_escaped(name));
    x += width;
  }
  legend.height = y + 4;
  return legend;
}

}  // namespace

std::string standalone_svg(const LineChart& chart) {
  const Legend legend = legend_svg(legend_of(chart));
  const double height = kChartHeight + legend.height;
  return fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{2}\" height=\"{3}\">\n"
      "<title>{4}</title>\n<style>{5}</style>\n<rect class=\"page\" width=\"{0}\" height=\"{1}\"/>\n{6}"
      "<svg y=\"{7}\" width=\"{0}\" height=\"{8}\">{9}</svg>\n</svg>\n",
      kChartWidth, height, 1.5 * kChartWidth, 1.5 * height, html_escaped(chart.title), chart_style(),
      legend.svg, legend.height, kChartHeight, svg_of(chart));
}

}  // namespace nystrom
