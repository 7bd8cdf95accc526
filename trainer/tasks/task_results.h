#pragma once
// Result files of fine-tuning: evaluations.json, results.json, predictions.tsv.

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "data/tasks/task.h"

namespace nystrom {

struct SplitScores {
  std::string split;
  std::vector<Score> scores;
};

/// Scores of the validation splits after a step.
struct TaskEvaluation {
  std::int64_t step = 0;
  std::int64_t epoch = 0;  ///< whole epochs so far
  double training_loss = 0, validation_loss = 0;
  std::vector<SplitScores> splits;
};

/// evaluations.json; numbers round-trip exactly. Invalid text reads as no evaluations.
[[nodiscard]] std::string evaluations_text(const std::vector<TaskEvaluation>& evaluations);
[[nodiscard]] std::vector<TaskEvaluation> read_evaluations(const std::string& text);

/// The metric of an evaluation's first split; NaN if it has none of that name.
[[nodiscard]] double metric_of(const TaskEvaluation& evaluation, const std::string& metric);
/// Is a better than b? A number is better than none; errors are better when smaller.
[[nodiscard]] bool is_better(const std::string& metric, double a, double b);
/// What an undefined value counts as where runs are compared: 0 for rates, F1 and Matthews' correlation, as
/// scikit-learn and seqeval have it; else the metric's worst value: -1 for other correlations, infinity for
/// errors.
[[nodiscard]] double worst_value(const std::string& metric);
/// Index of the best; the first, on ties. None where the metric is undefined in all of them.
[[nodiscard]] std::optional<std::size_t> best_of(const std::vector<TaskEvaluation>& evaluations,
                                                 const std::string& metric);

struct TaskResults {
  std::string task, model, metric;
  std::string data = {};  ///< Task::data()
  std::uint64_t seed = 0;
  std::int64_t best_step = 0, steps = 0;  ///< best_step 0: no metric to choose by; steps 0: not known
  std::vector<SplitScores> splits;        ///< validation splits, then labelled test splits
};
/// One object: the last split's metrics by their names, then each split's in its own object, and what
/// the run was. What is undefined is null, and `undefined` says why.
[[nodiscard]] std::string results_text(const TaskResults& results);

/// Names of labels as one line of text, and back; of a checkpoint's settings `task.label_names`.
[[nodiscard]] std::string label_names_text(const std::vector<std::string>& labels);
[[nodiscard]] std::vector<std::string> read_label_names(const std::string& text);

/// What must be the same of a training split when a run resumes: a checkpoint's setting `task.examples`.
[[nodiscard]] std::string task_examples_text(const TaskSplit& train);

/// Header and rows, TAB between cells; TABs and line breaks in cells become blanks.
[[nodiscard]] std::string tsv_text(const PredictionTable& table);

}  // namespace nystrom
