#include "launch/setup/grid.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "kernels/core/check.h"
#include "kernels/core/json.h"
#include "trainer/tasks/task_results.h"

namespace nystrom {
namespace {

using Json = nlohmann::ordered_json;

std::string last_part(const std::string& key) {
  return key.substr(key.rfind('.') + 1);
}

std::string safe(std::string text) {  // in the name of a folder
  for (char& c : text)
    if (c == '/' || c == ' ' || c == '\t') c = '_';
  return text;
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  const std::size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

/// The values that tell a row of the table from others: all but the seed.
std::string row_name(const GridPoint& point) {
  std::string name;
  for (const auto& [key, value] : point.values)
    if (key != "seed") name += fmt::format("{}{}={}", name.empty() ? "" : ",", last_part(key), value);
  return name.empty() ? "all" : name;
}

struct Row {
  std::vector<const GridResult*> runs;

  [[nodiscard]] std::vector<double> of(const std::string& score) const {
    std::vector<double> values;
    for (const auto* run : runs)
      for (const auto& [name, value] : run->scores)
        if (name == score && std::isfinite(value)) values.push_back(value);
    return values;
  }
  [[nodiscard]] double middle(const std::string& score) const {
    const auto values = of(score);
    return values.empty() ? std::numeric_limits<double>::quiet_NaN() : median(values);
  }
};

std::string text_of(double value) {
  return std::isnan(value) ? "undefined" : fmt::format("{:.6g}", value);
}

}  // namespace

std::vector<GridPoint> grid_points(const std::vector<GridAxis>& grid) {
  std::vector<GridPoint> points(1);
  for (const auto& axis : grid) {
    std::vector<GridPoint> longer;
    for (const auto& point : points)
      for (const auto& value : axis.values) {
        longer.push_back(point);
        longer.back().name +=
            fmt::format("{}{}={}", point.name.empty() ? "" : ",", last_part(axis.key), safe(value));
        longer.back().values.emplace_back(axis.key, value);
      }
    points = std::move(longer);
  }
  std::set<std::string> names;
  for (const auto& point : points)
    if (!names.insert(point.name).second) refuse("`grid`: {} appears twice; remove a value.", point.name);
  return points;
}

Config config_of(const Config& config, const GridPoint& point) {
  Config one = config;
  for (const auto& [key, value] : point.values) set_value(one, key, value);
  one.grid.clear();
  one.given.erase("grid");
  one.run.directory = config.run.directory + "/" + point.name;
  return one;
}

GridResult grid_result(const GridPoint& point, const std::string& results_json) {
  GridResult result{point, {}, {}};
  const Json json = try_parse_json<Json>(results_json);
  if (!json.is_object()) fail("results.json of {} cannot be read.", point.name);
  const std::string metric = json.contains("best_by") ? json["best_by"].get<std::string>() : std::string();
  for (const auto& [split, scores] : json.items()) {
    if (!scores.is_object() || split == "undefined") continue;
    for (const auto& [name, value] : scores.items()) {
      const std::string score = split + " " + name;
      result.scores.emplace_back(
          score, value.is_number() ? value.get<double>() : std::numeric_limits<double>::quiet_NaN());
      if (result.chosen_by.empty() && name == metric) result.chosen_by = score;
    }
  }
  return result;
}

GridTable grid_table(const std::vector<GridResult>& results) {
  NYSTROM_CHECK(!results.empty(), "a grid without points");
  std::vector<std::string> order;
  std::map<std::string, Row> rows;
  for (const auto& result : results) {
    const std::string name = row_name(result.point);
    if (!rows.contains(name)) order.push_back(name);
    rows[name].runs.push_back(&result);
  }
  const GridResult& first = results.front();
  GridTable table{.text = "point\truns", .json = {}, .best = {}};
  for (const auto& [score, value] : first.scores)
    table.text += fmt::format("\t{0} (median)\t{0} (least)\t{0} (most)", score);
  table.text += "\n";
  Json json;
  std::string best;
  for (const auto& name : order) {
    const Row& row = rows[name];
    table.text += fmt::format("{}\t{}", name, row.runs.size());
    Json& entry = json["points"][name];
    for (const auto* run : row.runs) entry["runs"].push_back(run->point.name);
    for (const auto& [score, unused] : first.scores) {
      const auto values = row.of(score);
      const double nan = std::numeric_limits<double>::quiet_NaN();
      const double least = values.empty() ? nan : *std::ranges::min_element(values);
      const double most = values.empty() ? nan : *std::ranges::max_element(values);
      table.text += fmt::format("\t{}\t{}\t{}", text_of(row.middle(score)), text_of(least), text_of(most));
      entry[score] = {{"median", row.middle(score)}, {"values", values}};
    }
    table.text += "\n";
    if (!first.chosen_by.empty() && (best.empty() || is_better(first.chosen_by, row.middle(first.chosen_by),
                                                               rows[best].middle(first.chosen_by))))
      best = name;
  }
  if (!best.empty()) {
    json["best"] = {{"point", best}, {"by", first.chosen_by}, {"median", rows[best].middle(first.chosen_by)}};
    table.best = fmt::format("The best point by {} is {} ({})", first.chosen_by, best,
                             text_of(rows[best].middle(first.chosen_by)));
  } else {
    table.best = "No point is the best, since there is no validation split to choose by";
  }
  table.json = json.dump(1) + "\n";
  return table;
}

}  // namespace nystrom
