#include "launch/report/grid_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <optional>
#include <vector>

#include "kernels/core/check.h"
#include "kernels/core/files.h"
#include "kernels/core/html.h"
#include "kernels/core/json.h"
#include "launch/chart/figure.h"
#include "launch/chart/heat_map.h"
#include "launch/report/links.h"

namespace nystrom {
namespace {

using OrderedJson = nlohmann::ordered_json;

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

/// A point of the grid, whose name is "learning_rate=2e-5,dropout=0.1".
struct GridPoint {
  std::string name;
  std::vector<std::pair<std::string, std::string>> values;  ///< empty where the name has another form
  std::vector<std::string> runs = {};
  double median = kNone, least = kNone, most = kNone;  ///< of the score that chose
};

struct Grid {
  std::string by, best;  ///< the score, "validation accuracy", and the best point
  std::vector<GridPoint> points;
};

std::vector<std::pair<std::string, std::string>> values_of(std::string_view name) {
  std::vector<std::pair<std::string, std::string>> values;
  while (!name.empty()) {
    const std::string_view part = name.substr(0, name.find(','));
    const std::size_t equals = part.find('=');
    if (equals == std::string_view::npos) return {};  // a value with a comma in it, or the one point "all"
    values.emplace_back(part.substr(0, equals), part.substr(equals + 1));
    name.remove_prefix(std::min(part.size() + 1, name.size()));
  }
  return values;
}

double number_of(const OrderedJson& value) {
  return value.is_number() ? value.get<double>() : kNone;
}

GridPoint point_of(const std::string& name, const OrderedJson& json, const std::string& by) {
  GridPoint point{.name = name, .values = values_of(name)};
  for (const OrderedJson& run : json.value("runs", OrderedJson::array()))
    if (run.is_string()) point.runs.push_back(run.get<std::string>());
  const OrderedJson score = json.value(by, OrderedJson::object());
  point.median = number_of(score.value("median", OrderedJson()));
  Extent extent;
  for (const OrderedJson& value : score.value("values", OrderedJson::array())) extent.add(number_of(value));
  if (!extent.empty) point.least = extent.low, point.most = extent.high;
  return point;
}

/// The first score of the points, where none chose.
std::string any_score(const OrderedJson& points) {
  for (const auto& [name, point] : points.items())
    for (const auto& [key, value] : point.items())
      if (value.is_object()) return key;
  return {};
}

Grid read_grid(const std::string& directory) {
  const std::string path = directory + "/grid.json";
  const OrderedJson json = try_parse_json<OrderedJson>(read_file(path));
  try {
    const OrderedJson& points = json.at("points");
    const OrderedJson best = json.value("best", OrderedJson::object());
    Grid grid{
        .by = best.value("by", any_score(points)), .best = best.value("point", std::string()), .points = {}};
    for (const auto& [name, point] : points.items()) grid.points.push_back(point_of(name, point, grid.by));
    if (!grid.points.empty()) return grid;
  } catch (const OrderedJson::exception&) {  // refused below
  }
  refuse("{} is not the table of a grid, or it is corrupt.", path);
}

std::string run_links(const GridPoint& point) {
  std::string html;
  for (const std::string& run : point.runs)
    html += fmt::format("{}<a href=\"./{}/report.html\">{}</a>", html.empty() ? "" : "<br>",
                        link_escaped(run), html_escaped(run));
  return "<td>" + html + "</td>";
}

std::string table_of(const Grid& grid) {
  std::string html = "<div class=\"wide\"><table>\n<thead>" +
                     html_row({html_heading("point"), html_heading(grid.by + " (median)"),
                               html_heading("least"), html_heading("most"), html_heading("runs")}) +
                     "</thead><tbody>\n";
  for (const GridPoint& point : grid.points)
    html += fmt::format("<tr{}>{}{}{}{}{}</tr>\n", point.name == grid.best ? " class=\"chosen\"" : "",
                        html_cell(point.name), html_cell(number_text(point.median, 5), "number"),
                        html_cell(number_text(point.least, 5), "number"),
                        html_cell(number_text(point.most, 5), "number"), run_links(point));
  return html + "</tbody></table></div>\n";
}

/// Values of an axis in the order of the grid.
std::vector<std::string> axis_values(const Grid& grid, std::size_t axis) {
  std::vector<std::string> values;
  for (const GridPoint& point : grid.points)
    if (std::ranges::find(values, point.values[axis].second) == values.end())
      values.push_back(point.values[axis].second);
  return values;
}

/// The axes with several values, where all points have the same axes.
std::vector<std::size_t> varying_axes(const Grid& grid) {
  const std::size_t axes = grid.points.front().values.size();
  for (const GridPoint& point : grid.points)
    if (point.values.size() != axes) return {};
  std::vector<std::size_t> varying;
  for (std::size_t axis = 0; axis < axes; ++axis)
    if (axis_values(grid, axis).size() > 1) varying.push_back(axis);
  return varying;
}

std::string heat_map(const Grid& grid, std::size_t down, std::size_t across) {
  HeatMap map{.title = grid.by + " by grid point",
              .across = grid.points.front().values[across].first,
              .down = grid.points.front().values[down].first,
              .columns = axis_values(grid, across),
              .rows = axis_values(grid, down),
              .values = {}};
  if (map.columns.size() > kMaxCells || map.rows.size() > kMaxCells) return {};
  map.values.assign(map.rows.size(), std::vector<double>(map.columns.size(), kNone));
  map.texts.assign(map.rows.size(), std::vector<std::string>(map.columns.size()));
  for (const GridPoint& point : grid.points) {
    const auto r =
        static_cast<std::size_t>(std::ranges::find(map.rows, point.values[down].second) - map.rows.begin());
    const auto c = static_cast<std::size_t>(std::ranges::find(map.columns, point.values[across].second) -
                                            map.columns.begin());
    map.values[r][c] = point.median;
    map.texts[r][c] = number_text(point.median, 4);
    if (point.name == grid.best) map.framed.emplace_back(r, c);
  }
  return html_of({.id = "grid",
                  .caption = grid.by + ", median of the runs of a point",
                  .views = {{"grid", svg_of(map)}},
                  .note = "Framed: the best point."});
}

std::optional<double> as_number(const std::string& text) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  return !text.empty() && *end == '\0' && std::isfinite(value) ? std::optional(value) : std::nullopt;
}

/// One axis of numbers: the median with its range.
std::string line_chart(const Grid& grid, std::size_t axis) {
  Line line{.name = "median", .points = {}, .look = Line::Look::kDotted};
  LineChart chart{
      .title = grid.by, .x_name = grid.points.front().values[axis].first, .y_name = "", .lines = {}};
  for (const GridPoint& point : grid.points) {
    const auto x = as_number(point.values[axis].second);
    if (!x) return {};
    line.points.push_back({*x, point.median});
    line.band.push_back({*x, point.least, point.most});
    if (point.name == grid.best) chart.marks.push_back({*x, "best", Mark::Kind::kBest});
  }
  std::ranges::sort(line.points, {}, &Point::x);
  std::ranges::sort(line.band, {}, &Spread::x);
  const bool wide = line.points.front().x > 0 && line.points.back().x / line.points.front().x >= 8;
  if (wide) chart.x_scale = Scale::kLog;
  chart.lines.push_back(std::move(line));
  return figure_of(
      chart, {.id = "grid", .caption = grid.by, .note = "Shaded from minimum to maximum.", .log_y = false});
}

std::string picture_of(const Grid& grid) {
  const std::vector<std::size_t> axes = varying_axes(grid);
  const std::string figure = axes.size() == 2   ? heat_map(grid, axes[0], axes[1])
                             : axes.size() == 1 ? line_chart(grid, axes[0])
                                                : std::string();
  return figure.empty() ? figure : "<div class=\"figures\">\n" + figure + "</div>\n";
}

}  // namespace

bool is_grid_directory(const std::string& directory) {
  return file_exists(directory + "/grid.json");
}

std::string grid_body(const std::string& directory) {
  const Grid grid = read_grid(directory);
  std::string html = fmt::format("<h1>Grid of {} points</h1>\n<p class=\"place\">{}</p>\n",
                                 grid.points.size(), html_escaped(directory));
  if (!grid.best.empty())
    html += fmt::format("<p>The best point by {} is <strong>{}</strong>.</p>\n", html_escaped(grid.by),
                        html_escaped(grid.best));
  return html + "<section>\n" + picture_of(grid) + table_of(grid) + "</section>\n";
}

}  // namespace nystrom
