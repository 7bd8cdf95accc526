#pragma once
// Sequence classification and regression: one or two texts with a class, a set of labels or a number.

#include <functional>
#include <optional>

#include "data/tasks/task.h"

namespace nystrom {

struct TextExample {
  std::string id;  ///< in predictions; empty: the row's number, from 0
  std::string text;
  std::optional<std::string> pair = {};
  std::int32_t label = -1;         ///< kClass; -1: none
  std::vector<float> values = {};  ///< kLabels: 0 or 1 each; kValue: one number; empty: none
};

/// Format of a leaderboard's predictions.
struct LeaderboardForm {
  std::string file;                                          ///< "MNLI-m.tsv"; empty: there is none
  std::function<std::string(std::size_t label)> label = {};  ///< kClass: how label number i is written
  float lowest = 0, highest = 0;  ///< kValue: predictions are clamped to this range
};

class SequenceSplit final : public TaskSplit {
 public:
  /// Labelled if every example has a label or values.
  SequenceSplit(std::string name, const TaskInfo& info, std::vector<TextExample> examples,
                const TextEncoder& encoder, LeaderboardForm form = {});

  /// Sequences that are encoded already; `ids` in predictions.
  SequenceSplit(std::string name, const TaskInfo& info, std::vector<TaskSequence> sequences,
                std::vector<std::string> ids);

  using TaskSplit::note;
  void add_note(std::string sentence) { notes_.push_back(std::move(sentence)); }

  [[nodiscard]] std::vector<Score> score(const Outputs& outputs) const override;
  [[nodiscard]] PredictionTable predictions(const Outputs& outputs) const override;
  [[nodiscard]] LeaderboardFile leaderboard(const Outputs& outputs) const override;
  [[nodiscard]] std::vector<std::array<double, 2>> points(const Outputs& outputs) const override;
  [[nodiscard]] Confusion confusion(const Outputs& outputs) const override;

 private:
  [[nodiscard]] std::vector<std::string> truth_cells(std::size_t i) const;

  TaskInfo info_;
  LeaderboardForm form_;
  std::vector<std::string> ids_;
};

/// The best classes of outputs.
[[nodiscard]] std::vector<std::int32_t> best_classes(const Outputs& outputs);

/// Metrics by name: accuracy, f1 (of class 1), f1_macro, matthews_correlation. One that is undefined is NaN
/// and says why.
[[nodiscard]] std::vector<Score> class_scores(std::span<const std::string> metrics,
                                              std::span<const std::int32_t> truth,
                                              std::span<const std::int32_t> predicted);
/// Metrics by name: pearson, spearmanr, mean_squared_error.
[[nodiscard]] std::vector<Score> value_scores(std::span<const std::string> metrics,
                                              std::span<const double> truth,
                                              std::span<const double> predicted);

/// A value in predictions.tsv: the shortest text that reads back as the same float, at most 9 digits.
[[nodiscard]] std::string number_text(float value);
[[nodiscard]] std::string probability_text(double value);

}  // namespace nystrom
