// Residuals of the pseudo-inverse: a heat map of layers by steps.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "launch/chart/figure.h"
#include "launch/chart/heat_map.h"
#include "launch/report/sections.h"

namespace nystrom {
namespace {

constexpr std::size_t kMaxColumns = 64;

/// The largest residual of each of the columns into which the steps are divided evenly; NaN where none was
/// measured.
std::vector<double> columns_of(const Series& series, double first, double width, std::size_t count) {
  std::vector<double> columns(count, std::numeric_limits<double>::quiet_NaN());
  for (const Bucket& bucket : series.even()) {
    const auto at = static_cast<std::size_t>((bucket.step() - first) / width);
    double& column = columns[std::min(at, count - 1)];
    column = std::isnan(column) ? bucket.most : std::max(column, bucket.most);
  }
  return columns;
}

/// Of two digits: columns stand for ranges of steps.
std::string step_label(double step) {
  const double unit = std::pow(10.0, std::max(0.0, std::floor(std::log10(std::max(step, 1.0))) - 1));
  return number_text(std::round(step / unit) * unit);
}

HeatMap map_of(const std::vector<Series>& layers) {
  HeatMap map{.title = "Largest pseudo-inverse residual by layer and step",
              .across = "step",
              .down = "layer",
              .columns = {},
              .rows = {},
              .values = {},
              .scale = Scale::kLog};
  const std::vector<Bucket>& buckets = layers.front().even();
  const std::size_t count = std::min(buckets.size(), kMaxColumns);
  const double first = buckets.front().step();
  const double width = std::max((buckets.back().step() - first) / static_cast<double>(count), 1e-9);
  for (std::size_t c = 0; c < count; ++c)
    map.columns.push_back(step_label(first + width * (static_cast<double>(c) + 0.5)));
  for (std::size_t layer = 0; layer < std::min(layers.size(), kMaxCells); ++layer) {
    map.rows.push_back(fmt::format("{}", layer));
    map.values.push_back(columns_of(layers[layer], first, width, count));
  }
  return map;
}

}  // namespace

std::string residuals_section(const ReportedRun& run) {
  const History& history = run.history;
  const std::vector<Series>& layers =
      history.largest_residuals().empty() ? history.residuals() : history.largest_residuals();
  if (layers.empty() || layers.front().empty()) return {};
  const std::string figure = html_of(
      {.id = "residuals",
       .caption = "Pseudo-inverse residual ‖AZ − I‖ / √M by layer, maximum over heads and sequences",
       .views = {{"residuals", svg_of(map_of(layers))}},
       .note =
           "At 0 the iteration has inverted the landmark matrix. If landmarks are alike, as early in training, that matrix is singular, and the residual is up to 1."});
  return "<section>\n<h2>Attention</h2>\n<div class=\"figures\">\n" + figure + "</div>\n</section>\n";
}

}  // namespace nystrom
