#include "data/tasks/sequence_answer.h"

#include <algorithm>

#include "data/tasks/scores.h"
#include "kernels/core/check.h"

namespace nystrom {
namespace {

class OneClass final : public SequenceAnswer {
 public:
  std::vector<std::string> metrics() const override {
    return {"accuracy", "f1_macro", "matthews_correlation"};
  }
  bool has_truth(const TextExample& example) const override { return example.label >= 0; }

  std::vector<Score> score(const TaskInfo& info, std::span<const TaskSequence> sequences,
                           const Outputs& outputs) const override {
    std::vector<std::int32_t> truth;
    for (const auto& sequence : sequences) truth.push_back(sequence.label);
    return class_scores(info.metrics, truth, best_classes(outputs));
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
    const std::size_t n = info.labels.size();
    Confusion confusion{info.labels, std::vector(n, std::vector<std::int64_t>(n))};
    for (std::size_t i = 0; i < sequences.size(); ++i)
      ++confusion.counts[static_cast<std::size_t>(sequences[i].label)][argmax(outputs[i])];
    return confusion;
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

std::string number_text(float value) {
  return fmt::format("{}", value);
}

std::string probability_text(double value) {
  return fmt::format("{:.6g}", value);
}

}  // namespace nystrom
