#include "data/tasks/sequence_answer.h"

#include <algorithm>

#include "data/tasks/scores.h"
#include "kernels/core/check.h"

namespace nystrom {
namespace {

std::vector<std::int32_t> classes_of(std::span<const TaskSequence> sequences) {
  std::vector<std::int32_t> classes;
  for (const auto& sequence : sequences) classes.push_back(sequence.label);
  return classes;
}

class OneClass final : public SequenceAnswer {
 public:
  std::vector<std::string> metrics() const override {
    return {"accuracy", "f1_macro", "matthews_correlation"};
  }
  bool has_truth(const TextExample& example) const override { return example.label >= 0; }

  std::vector<Score> score(const TaskInfo& info, std::span<const TaskSequence> sequences,
                           const Outputs& outputs) const override {
    return class_scores(info.metrics, classes_of(sequences), best_classes(outputs));
  }

  std::string truth(const TaskInfo& info, const TaskSequence& sequence) const override {
    return info.labels[static_cast<std::size_t>(sequence.label)];
  }
  std::string prediction(const TaskInfo& info, std::span<const float> logits) const override {
    return info.labels[argmax(logits)];
  }
  std::vector<double> probabilities(std::span<const float> logits) const override { return softmax(logits); }

  std::string submission(const LeaderboardForm& form, std::span<const float> logits) const override {
    return form.label(argmax(logits));
  }

  Confusion confusion(const TaskInfo& info, std::span<const TaskSequence> sequences,
                      const Outputs& outputs) const override {
    return class_confusion(info, classes_of(sequences), outputs);
  }
};

/// Each label or not, by the sign of its logit.
class LabelSet final : public SequenceAnswer {
 public:
  std::vector<std::string> metrics() const override { return {"f1_micro", "f1_macro", "accuracy"}; }
  bool has_truth(const TextExample& example) const override { return !example.values.empty(); }

  std::vector<Score> score(const TaskInfo& info, std::span<const TaskSequence> sequences,
                           const Outputs& outputs) const override {
    LabelSets sets{.labels = info.labels.size(), .truth = {}, .predicted = {}};
    for (std::size_t i = 0; i < sequences.size(); ++i)
      for (std::size_t l = 0; l < sets.labels; ++l) {
        sets.truth.push_back(sequences[i].values[l] > 0.5F ? 1 : 0);
        sets.predicted.push_back(outputs[i][l] > 0 ? 1 : 0);
      }
    return label_set_scores(info.metrics, sets);
  }

  std::string truth(const TaskInfo& info, const TaskSequence& sequence) const override {
    return labels_above(info, sequence.values, 0.5F);
  }
  std::string prediction(const TaskInfo& info, std::span<const float> logits) const override {
    return labels_above(info, logits, 0);
  }
  std::vector<double> probabilities(std::span<const float> logits) const override {
    std::vector<double> probabilities;
    for (const float x : logits) probabilities.push_back(sigmoid(static_cast<double>(x)));
    return probabilities;
  }

 private:
  static std::string labels_above(const TaskInfo& info, std::span<const float> values, float above) {
    std::string set;
    for (std::size_t l = 0; l < values.size(); ++l)
      if (values[l] > above) set += (set.empty() ? "" : info.label_separator) + info.labels[l];
    return set;
  }
};

class Value final : public SequenceAnswer {
 public:
  std::vector<std::string> metrics() const override { return {"pearson", "spearmanr", "mean_squared_error"}; }
  bool has_truth(const TextExample& example) const override { return !example.values.empty(); }
  bool has_labels() const override { return false; }

  std::vector<Score> score(const TaskInfo& info, std::span<const TaskSequence> sequences,
                           const Outputs& outputs) const override {
    std::vector<double> truth, predicted;
    for (const auto& [x, y] : points(sequences, outputs)) {
      truth.push_back(x);
      predicted.push_back(y);
    }
    return value_scores(info.metrics, truth, predicted);
  }

  std::string truth(const TaskInfo& /*info*/, const TaskSequence& sequence) const override {
    return number_text(sequence.values[0]);
  }
  std::string prediction(const TaskInfo& /*info*/, std::span<const float> logits) const override {
    return number_text(logits[0]);
  }
  std::string submission(const LeaderboardForm& form, std::span<const float> logits) const override {
    return number_text(std::clamp(logits[0], form.lowest, form.highest));
  }

  std::vector<std::array<double, 2>> points(std::span<const TaskSequence> sequences,
                                            const Outputs& outputs) const override {
    std::vector<std::array<double, 2>> points;
    for (std::size_t i = 0; i < sequences.size(); ++i)
      points.push_back({static_cast<double>(sequences[i].values.at(0)), static_cast<double>(outputs[i][0])});
    return points;
  }
};

}  // namespace

std::string SequenceAnswer::submission(const LeaderboardForm& form, std::span<const float> /*logits*/) const {
  throw InternalError("no leaderboard takes answers of this kind: " + form.file);
}

const SequenceAnswer& sequence_answer(AnswerKind kind) {
  static const OneClass one_class;
  static const LabelSet label_set;
  static const Value value;
  switch (kind) {
    case AnswerKind::kClass:
      return one_class;
    case AnswerKind::kLabels:
      return label_set;
    case AnswerKind::kValue:
      return value;
    default:
      throw InternalError("not an answer to a text");
  }
}

PredictionTable class_predictions(const TaskInfo& info, std::span<const std::string> ids,
                                  std::span<const std::int32_t> truth, const Outputs& outputs) {
  PredictionTable table{{"id", "prediction"}, {}};
  if (!truth.empty()) table.columns.emplace_back("label");
  for (const auto& label : info.labels) table.columns.push_back("probability:" + label);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    std::vector<std::string> row{ids[i], info.labels[argmax(outputs[i])]};
    if (!truth.empty()) row.push_back(info.labels[static_cast<std::size_t>(truth[i])]);
    for (const double p : softmax(outputs[i])) row.push_back(probability_text(p));
    table.rows.push_back(std::move(row));
  }
  return table;
}

Confusion class_confusion(const TaskInfo& info, std::span<const std::int32_t> truth, const Outputs& outputs) {
  const std::size_t n = info.labels.size();
  Confusion confusion{info.labels, std::vector(n, std::vector<std::int64_t>(n))};
  for (std::size_t i = 0; i < truth.size(); ++i)
    ++confusion.counts[static_cast<std::size_t>(truth[i])][argmax(outputs[i])];
  return confusion;
}

std::string number_text(float value) {
  return fmt::format("{}", value);
}

std::string probability_text(double value) {
  return fmt::format("{:.6g}", value);
}

}  // namespace nystrom
