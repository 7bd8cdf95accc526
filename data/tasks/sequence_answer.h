#pragma once
// Answers to one or two texts: a class, a set of labels, or a number. How each is read from a cell, scored
// and written.

#include <array>
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

class SequenceAnswer {
 public:
  virtual ~SequenceAnswer() = default;

  /// The metrics of a custom dataset; the first selects the best checkpoint.
  [[nodiscard]] virtual std::vector<std::string> metrics() const = 0;
  [[nodiscard]] virtual bool has_truth(const TextExample& example) const = 0;
  /// Precondition: all sequences have their truth.
  [[nodiscard]] virtual std::vector<Score> score(const TaskInfo& info,
                                                 std::span<const TaskSequence> sequences,
                                                 const Outputs& outputs) const = 0;
  /// Cells of predictions.tsv.
  [[nodiscard]] virtual std::string truth(const TaskInfo& info, const TaskSequence& sequence) const = 0;
  [[nodiscard]] virtual std::string prediction(const TaskInfo& info, std::span<const float> logits) const = 0;
  /// One per label; empty in answers without labels.
  [[nodiscard]] virtual std::vector<double> probabilities(std::span<const float> /*logits*/) const {
    return {};
  }
  [[nodiscard]] virtual bool has_labels() const { return true; }

  /// Precondition: the task has a leaderboard.
  [[nodiscard]] virtual std::string submission(const LeaderboardForm& form,
                                               std::span<const float> logits) const;
  [[nodiscard]] virtual std::vector<std::array<double, 2>> points(std::span<const TaskSequence> /*sequences*/,
                                                                  const Outputs& /*outputs*/) const {
    return {};
  }
  [[nodiscard]] virtual Confusion confusion(const TaskInfo& /*info*/,
                                            std::span<const TaskSequence> /*sequences*/,
                                            const Outputs& /*outputs*/) const {
    return {};
  }
};

/// Of kClass, kLabels and kValue. Throws InternalError for the others, which have their own splits.
[[nodiscard]] const SequenceAnswer& sequence_answer(AnswerKind kind);

/// Rows of predictions.tsv for classes: id, prediction, label where `truth` has them, probabilities.
[[nodiscard]] PredictionTable class_predictions(const TaskInfo& info, std::span<const std::string> ids,
                                                std::span<const std::int32_t> truth, const Outputs& outputs);
/// Counts by class. Precondition: every example has a class.
[[nodiscard]] Confusion class_confusion(const TaskInfo& info, std::span<const std::int32_t> truth,
                                        const Outputs& outputs);

/// A value in predictions.tsv: the shortest text that reads back as the same float, at most 9 digits.
[[nodiscard]] std::string number_text(float value);
[[nodiscard]] std::string probability_text(double value);

}  // namespace nystrom
