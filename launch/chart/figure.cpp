#include "launch/chart/figure.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "kernels/core/html.h"

namespace nystrom {
namespace {

std::string swatch(const LegendEntry& entry) {
  constexpr std::string_view kOpen = "<svg class=\"swatch\" viewBox=\"0 0 26 12\" aria-hidden=\"true\">";
  if (entry.filled)
    return fmt::format("{}<rect class=\"fill c{}{}\" x=\"7\" width=\"12\" height=\"12\"/></svg>", kOpen,
                       entry.color % kPaletteSize, entry.color >= kPaletteSize ? " pale" : "");
  const std::string classes = fmt::format("c{}{}", entry.color % kPaletteSize,
                                          entry.dashed || entry.color >= kPaletteSize ? " dashed" : "");
  return fmt::format(
      "{0}<path class=\"line {1}\" d=\"M1 6H25\"/>{2}</svg>", kOpen, classes,
      entry.dotted ? fmt::format("<circle class=\"dot {}\" cx=\"13\" cy=\"6\" r=\"3.5\"/>", classes) : "");
}

std::string legend_html(const std::vector<LegendEntry>& legend) {
  if (legend.empty()) return {};
  std::string html = "<ul class=\"legend\">";
  for (const LegendEntry& entry : legend)
    html += fmt::format("<li>{}{}</li>", swatch(entry), html_escaped(entry.name));
  return html + "</ul>\n";
}

/// Radio buttons: the style sheet shows the view of the one that is chosen.
std::string choice_html(const Figure& figure) {
  if (figure.views.size() < 2) return {};
  std::string html;
  for (std::size_t i = 0; i < figure.views.size(); ++i)
    html +=
        fmt::format("<input type=\"radio\" name=\"{0}\" id=\"{0}-{1}\"{2}><label for=\"{0}-{1}\">{3}</label>",
                    figure.id, i, i == 0 ? " checked" : "", html_escaped(figure.views[i].name));
  return html + "\n";
}

bool has_points(const Line& line) {
  return std::ranges::any_of(
      line.points, [](const Point& point) { return std::isfinite(point.x) && std::isfinite(point.y); });
}

bool all_positive(const LineChart& chart) {
  return std::ranges::all_of(chart.lines, [](const Line& line) {
    return std::ranges::none_of(line.points, [](const Point& point) { return point.y <= 0; });
  });
}

LineChart with_log_y(LineChart chart) {
  chart.y_scale = Scale::kLog;
  return chart;
}

}  // namespace

std::string html_of(const Figure& figure) {
  std::string html =
      fmt::format("<figure id=\"{}\">\n<figcaption>{}</figcaption>\n{}{}<div class=\"views\">\n", figure.id,
                  html_escaped(figure.caption), choice_html(figure), legend_html(figure.legend));
  for (const View& view : figure.views) html += fmt::format("<div class=\"view\">{}</div>\n", view.svg);
  html += "</div>\n";
  if (!figure.note.empty()) html += fmt::format("<p class=\"note\">{}</p>\n", html_escaped(figure.note));
  return html + "</figure>\n";
}

std::vector<LegendEntry> legend_of(const LineChart& chart) {
  std::vector<LegendEntry> legend;
  for (const Line& line : chart.lines)
    if (!line.name.empty() && has_points(line))
      legend.push_back({line.name, line.color, line.dashed,
                        line.look == Line::Look::kDotted || line.look == Line::Look::kDots});
  return legend;
}

std::string figure_of(const LineChart& chart, const FigureOptions& options) {
  if (!has_points(chart)) return {};
  Figure figure{.id = options.id,
                .caption = options.caption,
                .legend = legend_of(chart),
                .views = {{"linear", svg_of(chart)}},
                .note = options.note};
  if (figure.legend.size() == 1 && chart.lines.size() <= 2) figure.legend.clear();  // the caption says it
  if (options.log_y && all_positive(chart)) {
    figure.views.push_back({"log", svg_of(with_log_y(chart))});
    if (options.log_x) figure.views.push_back({"log-log", svg_of(with_log_y(*options.log_x))});
  }
  return html_of(figure);
}

}  // namespace nystrom
