#include "launch/setup/grid.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <map>
#include <set>

#include "kernels/core/check.h"
#include "kernels/core/files.h"
#include "kernels/core/json.h"
#include "trainer/tasks/task_results.h"

namespace nystrom {
namespace {

namespace fs = std::filesystem;

using OrderedJson = nlohmann::ordered_json;

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

/// The values that identify a row of the table: all but the seed.
std::string row_name(const GridPoint& point) {
  std::string name;
  for (const auto& [key, value] : point.values)
    if (key != "seed") name += fmt::format("{}{}={}", name.empty() ? "" : ",", last_part(key), value);
  return name.empty() ? "all" : name;
}

struct Row {
  std::vector<const GridResult*> runs;

  /// The score of each run, NaN where it is undefined.
  [[nodiscard]] std::vector<double> of(const std::string& score) const {
    std::vector<double> values;
    for (const auto* run : runs) {
      const auto found = std::ranges::find(run->scores, score, [](const auto& entry) { return entry.first; });
      const bool defined = found != run->scores.end() && std::isfinite(found->second);
      values.push_back(defined ? found->second : std::numeric_limits<double>::quiet_NaN());
    }
    return values;
  }
};

/// A score over the runs of a row. An undefined value counts as the metric's worst: a run that collapsed must
/// not raise the median of those that did not.
struct ScoreSpread {
  double median = 0, least = 0, most = 0;
  std::ptrdiff_t undefined = 0, runs = 0;

  ScoreSpread(std::vector<double> values, const std::string& score) {
    const auto is_undefined = [](double value) { return std::isnan(value); };
    runs = std::ssize(values);
    undefined = std::ranges::count_if(values, is_undefined);
    std::ranges::replace_if(values, is_undefined, worst_value(score));
    least = *std::ranges::min_element(values);
    most = *std::ranges::max_element(values);
    median = nystrom::median(std::move(values));
  }
  [[nodiscard]] bool any_defined() const { return undefined < runs; }
  [[nodiscard]] std::string note(const std::string& score) const {
    return fmt::format("{} of {}, counted as {:g}", undefined, runs, worst_value(score));
  }
};

/// The score that checkpoints were chosen by. A run whose metric was never defined has none.
std::string chosen_by(const std::vector<GridResult>& results) {
  const auto found =
      std::ranges::find_if(results, [](const auto& result) { return !result.chosen_by.empty(); });
  return found == results.end() ? std::string() : found->chosen_by;
}

/// The one of the best score; undefined scores are the worst.
std::string best_run_of(const std::vector<const GridResult*>& runs, const std::string& score) {
  const GridResult* best = nullptr;
  double best_value = 0;
  for (const GridResult* run : runs)
    for (const auto& [name, value] : run->scores)
      if (name == score && !std::isnan(value) && (best == nullptr || is_better(score, value, best_value))) {
        best = run;
        best_value = value;
      }
  return best == nullptr ? std::string() : best->point.name;
}

void link_or_copy(const fs::path& from, const fs::path& to) {
  std::error_code problem;
  fs::create_hard_link(from, to, problem);
  if (problem) fs::copy_file(from, to, problem);
  if (problem) fail("{} cannot be copied to {}: {}.", from.string(), to.string(), problem.message());
}

}  // namespace

std::vector<GridPoint> grid_points(const std::vector<GridAxis>& grid) {
  constexpr std::size_t kMaxPoints = 10'000;
  std::vector<GridPoint> points(1);
  for (const auto& axis : grid) {
    if (axis.values.size() > kMaxPoints / points.size())
      refuse("`grid` has more than {} points; remove values.", kMaxPoints);
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
  const OrderedJson json = try_parse_json<OrderedJson>(results_json);
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
  const std::string by = chosen_by(results);
  GridTable table{.text = "point\truns", .json = {}, .best = {}};
  for (const auto& [score, value] : results.front().scores)
    table.text += fmt::format("\t{0} (median)\t{0} (least)\t{0} (most)", score);
  table.text += "\tundefined\n";
  OrderedJson json;
  std::string best;
  for (const auto& name : order) {
    const Row& row = rows[name];
    table.text += fmt::format("{}\t{}", name, row.runs.size());
    OrderedJson& entry = json["points"][name];
    for (const auto* run : row.runs) entry["runs"].push_back(run->point.name);
    std::vector<std::string> undefined;
    for (const auto& [score, unused] : results.front().scores) {
      const auto values = row.of(score);
      const ScoreSpread spread(values, score);
      table.text += fmt::format("\t{:.6g}\t{:.6g}\t{:.6g}", spread.median, spread.least, spread.most);
      entry[score] = {{"median", spread.median}, {"values", values}};  // NaN becomes null
      if (spread.undefined == 0) continue;
      entry[score]["undefined"] = spread.note(score);
      undefined.push_back(fmt::format("{}: {}", score, spread.note(score)));
    }
    table.text +=
        fmt::format("\t{}\n", undefined.empty() ? "none" : fmt::format("{}", fmt::join(undefined, "; ")));
    if (by.empty() || !ScoreSpread(row.of(by), by).any_defined()) continue;
    if (best.empty() ||
        is_better(by, ScoreSpread(row.of(by), by).median, ScoreSpread(rows[best].of(by), by).median))
      best = name;
  }
  if (!best.empty()) {
    const ScoreSpread spread(rows[best].of(by), by);
    table.best_run = best_run_of(rows[best].runs, by);
    json["best"] = {{"point", best}, {"by", by}, {"median", spread.median}, {"run", table.best_run}};
    table.best = fmt::format("The best point by {} is {} ({:.6g}{})", by, best, spread.median,
                             spread.undefined == 0 ? "" : ", undefined: " + spread.note(by));
  } else {
    table.best =
        "No point is the best, since there is no validation split to choose by, or its metric is undefined";
  }
  table.json = json.dump(1) + "\n";
  return table;
}

void keep_best_run(const std::string& directory, const std::string& run) {
  const fs::path best = fs::path(directory) / "best", from = fs::path(directory) / run;
  std::error_code ignored;
  if (run.empty()) {
    fs::remove_all(best, ignored);
    return;
  }
  const fs::path made = temporary_name(best.string());
  fs::create_directories(made / "checkpoints");
  for (const fs::directory_entry& entry : fs::directory_iterator(from)) {
    const std::string name = entry.path().filename().string();
    const bool is_file =
        entry.is_regular_file() && !name.starts_with('.') && name.find(".tfevents.") == std::string::npos;
    if (is_file || name == "leaderboard") fs::copy(entry.path(), made / name, fs::copy_options::recursive);
  }
  link_or_copy(from / "checkpoints/best.h5", made / "checkpoints/best.h5");
  fs::remove_all(best, ignored);
  publish_file(made.string(), best.string());
}

}  // namespace nystrom
