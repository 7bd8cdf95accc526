#pragma once
// Metrics of a task by name. One that is undefined is NaN and says why.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "data/tasks/task.h"

namespace nystrom {

/// The best classes of outputs.
[[nodiscard]] std::vector<std::int32_t> best_classes(const Outputs& outputs);

/// Of one class per example: accuracy, f1 (of class 1), f1_macro, matthews_correlation.
[[nodiscard]] std::vector<Score> class_scores(std::span<const std::string> metrics,
                                              std::span<const std::int32_t> truth,
                                              std::span<const std::int32_t> predicted);

/// Both sides of label sets, flat: label l of example i is entry i * labels + l, 0 or 1.
struct LabelSets {
  std::size_t labels = 0;
  std::vector<std::int32_t> truth, predicted;
};
/// Of label sets: f1_micro, f1_macro (a label that occurs nowhere counts 0, as in scikit-learn), accuracy (of
/// whole sets).
[[nodiscard]] std::vector<Score> label_set_scores(std::span<const std::string> metrics,
                                                  const LabelSets& sets);

/// Of numbers: pearson, spearmanr, mean_squared_error.
[[nodiscard]] std::vector<Score> value_scores(std::span<const std::string> metrics,
                                              std::span<const double> truth,
                                              std::span<const double> predicted);

}  // namespace nystrom
