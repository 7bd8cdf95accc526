#pragma once
// `grid: {key: [values], ...}`: fine-tuning at every combination, one run after another, and a table of the
// results.

#include <string>
#include <utility>
#include <vector>

#include "launch/config/config.h"

namespace nystrom {

struct GridPoint {
  std::string name;                                         ///< of its folder: "learning_rate=2e-5,seed=1"
  std::vector<std::pair<std::string, std::string>> values;  ///< of each axis
};

/// All combinations, the last axis fastest. Refuses two points of one name.
[[nodiscard]] std::vector<GridPoint> grid_points(const std::vector<GridAxis>& grid);

/// The configuration of a point: its values, run.directory below the grid's.
[[nodiscard]] Config config_of(const Config& config, const GridPoint& point);

/// What a finished point came to: its results.json.
struct GridResult {
  GridPoint point;
  std::vector<std::pair<std::string, double>> scores;  ///< "validation accuracy", in the order of the file
  std::string chosen_by;                               ///< the score that the best checkpoint was chosen by
};
[[nodiscard]] GridResult grid_result(const GridPoint& point, const std::string& results_json);

/// Points that differ in `seed` alone are one row: the median of each score, with least and most, and how
/// many of its values are undefined; those count as the metric's worst. `best`: the best row by the score
/// that chose checkpoints; a row without any value of it cannot be the best.
struct GridTable {
  std::string text;           ///< TSV with a header
  std::string json;           ///< the same, and the best point
  std::string best;           ///< a sentence
  std::string best_run = {};  ///< the run of the best row that has the best score; empty: there is none
};
[[nodiscard]] GridTable grid_table(const std::vector<GridResult>& results);

/// Keeps the run DIRECTORY/RUN as DIRECTORY/best, in place of an older one: its best checkpoint (a hard link
/// where the file system has them) and copies of its other files. Without `run` there is none afterwards.
void keep_best_run(const std::string& directory, const std::string& run);

}  // namespace nystrom
