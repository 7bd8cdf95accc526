#include "data/tasks/sequence_split.h"

#include <algorithm>
#include <cmath>

#include "data/tasks/metrics/classification.h"
#include "data/tasks/metrics/correlation.h"
#include "kernels/core/check.h"

namespace nystrom {
namespace {

bool has_answer(const TextExample& example, AnswerKind kind) {
  return kind == AnswerKind::kClass ? example.label >= 0 : !example.values.empty();
}

/// Which side does not vary; "" if both do.
template <class T>
std::string constant_side(std::span<const T> truth, std::span<const T> predicted, const char* what) {
  const auto constant = [](std::span<const T> values) {
    return std::ranges::all_of(values, [&](const T& value) { return value == values.front(); });
  };
  const bool in_truth = constant(truth), in_prediction = constant(predicted);
  if (in_truth && in_prediction) return fmt::format("all true and all predicted {}", what);
  if (in_truth) return fmt::format("all true {}", what);
  return in_prediction ? fmt::format("all predicted {}", what) : std::string();
}

/// The reason for an undefined metric, from both sides of its examples.
template <class T>
std::string why_undefined(const std::string& metric, std::span<const T> truth, std::span<const T> predicted) {
  if (truth.empty()) return "there are no examples";
  if (metric == "f1") return "no example has the positive class, neither in truth nor in prediction";
  if (metric == "f1_micro") return "no example has a label, neither in truth nor in prediction";
  if (metric == "matthews_correlation") return constant_side(truth, predicted, "labels are of one class");
  if (truth.size() < 2) return "there is only one example";
  const std::string constant = constant_side(truth, predicted, "values are equal");
  return constant.empty() ? "a value is not a number" : constant;
}

template <class T>
Score scored(const std::string& metric, double value, std::span<const T> truth,
             std::span<const T> predicted) {
  return {metric, value, std::isnan(value) ? why_undefined(metric, truth, predicted) : std::string()};
}

/// Both sides of many labels, flat: label l of example i is entry i * labels + l.
struct ManyLabels {
  std::vector<std::int32_t> truth, predicted;
  double exact = 0;  // examples with every label right
};

ManyLabels many_labels(const std::vector<TaskSequence>& sequences, const Outputs& outputs) {
  ManyLabels all;
  for (std::size_t i = 0; i < sequences.size(); ++i) {
    const auto& values = sequences[i].values;
    const auto logits = outputs[i];
    bool exact = true;
    for (std::size_t l = 0; l < values.size(); ++l) {
      all.truth.push_back(values[l] > 0.5F ? 1 : 0);
      all.predicted.push_back(logits[l] > 0 ? 1 : 0);
      exact = exact && all.truth.back() == all.predicted.back();
    }
    all.exact += exact ? 1 : 0;
  }
  return all;
}

double label_macro_f1(const ManyLabels& all, std::size_t labels) {
  double sum = 0;
  for (std::size_t l = 0; l < labels; ++l) {
    std::vector<std::int32_t> truth, predicted;
    for (std::size_t i = l; i < all.truth.size(); i += labels) {
      truth.push_back(all.truth[i]);
      predicted.push_back(all.predicted[i]);
    }
    const double f1 = f1_of_class(truth, predicted, 1);
    sum += std::isnan(f1) ? 0 : f1;  // an empty label counts 0, as in scikit-learn
  }
  return sum / static_cast<double>(labels);
}

std::vector<Score> many_label_scores(const std::vector<TaskSequence>& sequences, const Outputs& outputs,
                                     const TaskInfo& info) {
  const ManyLabels all = many_labels(sequences, outputs);
  std::vector<Score> scores;
  const auto add = [&](const std::string& metric, double value) {
    scores.push_back(scored<std::int32_t>(metric, value, all.truth, all.predicted));
  };
  for (const auto& metric : info.metrics) {
    if (metric == "f1_micro") add(metric, f1_of_class(all.truth, all.predicted, 1));
    if (metric == "f1_macro") add(metric, label_macro_f1(all, info.labels.size()));
    if (metric == "accuracy") add(metric, all.exact / static_cast<double>(sequences.size()));
  }
  return scores;
}

std::string label_set(std::span<const float> values, double above, const TaskInfo& info) {
  std::string set;
  for (std::size_t l = 0; l < values.size(); ++l)
    if (values[l] > above) set += (set.empty() ? "" : info.label_separator) + info.labels[l];
  return set;
}

}  // namespace

SequenceSplit::SequenceSplit(std::string name, const TaskInfo& info, std::vector<TextExample> examples,
                             const TextEncoder& encoder, LeaderboardForm form)
    : TaskSplit(std::move(name)), info_(info), form_(std::move(form)) {
  EncodingCounts counts;
  pairs_ = std::ranges::any_of(examples, [](const auto& example) { return example.pair.has_value(); });
  labelled_ = !examples.empty();
  for (auto& example : examples) {
    labelled_ = labelled_ && has_answer(example, info.answer);
    ids_.push_back(example.id.empty() ? std::to_string(ids_.size()) : std::move(example.id));
    TaskSequence sequence = example.pair ? encoder.pair(example.text, *example.pair, counts)
                                         : encoder.single(example.text, counts);
    sequence.label = example.label;
    sequence.values = std::move(example.values);
    sequences_.push_back(std::move(sequence));
  }
  note(counts, encoder.max_length());
}

SequenceSplit::SequenceSplit(std::string name, const TaskInfo& info, std::vector<TaskSequence> sequences,
                             std::vector<std::string> ids)
    : TaskSplit(std::move(name)), info_(info), ids_(std::move(ids)) {
  sequences_ = std::move(sequences);
  NYSTROM_CHECK(sequences_.size() == ids_.size(), "{} sequences with {} ids", sequences_.size(), ids_.size());
}

std::vector<Score> SequenceSplit::score(const Outputs& outputs) const {
  NYSTROM_CHECK(labelled_ && outputs.size() == sequences_.size(), "{} outputs of {} sequences",
                outputs.size(), sequences_.size());
  if (info_.answer == AnswerKind::kLabels) return many_label_scores(sequences_, outputs, info_);
  if (info_.answer == AnswerKind::kClass) {
    std::vector<std::int32_t> truth;
    for (const auto& sequence : sequences_) truth.push_back(sequence.label);
    return class_scores(info_.metrics, truth, best_classes(outputs));
  }
  std::vector<double> truth, predicted;
  for (std::size_t i = 0; i < sequences_.size(); ++i) {
    truth.push_back(static_cast<double>(sequences_[i].values.at(0)));
    predicted.push_back(static_cast<double>(outputs[i][0]));
  }
  return value_scores(info_.metrics, truth, predicted);
}

std::vector<std::string> SequenceSplit::truth_cells(std::size_t i) const {
  if (!labelled_) return {};
  const TaskSequence& sequence = sequences_[i];
  if (info_.answer == AnswerKind::kClass) return {info_.labels[static_cast<std::size_t>(sequence.label)]};
  if (info_.answer == AnswerKind::kValue) return {number_text(sequence.values[0])};
  return {label_set(sequence.values, 0.5, info_)};
}

PredictionTable SequenceSplit::predictions(const Outputs& outputs) const {
  PredictionTable table{{"id", "prediction"}, {}};
  if (labelled_) table.columns.emplace_back("label");
  if (info_.answer != AnswerKind::kValue)
    for (const auto& label : info_.labels) table.columns.push_back("probability:" + label);
  for (std::size_t i = 0; i < sequences_.size(); ++i) {
    const auto logits = outputs[i];
    std::vector<std::string> row{ids_[i]};
    std::vector<double> probabilities;
    if (info_.answer == AnswerKind::kClass) {
      row.push_back(info_.labels[argmax(logits)]);
      probabilities = softmax(logits);
    } else if (info_.answer == AnswerKind::kValue) {
      row.push_back(number_text(logits[0]));
    } else {
      row.push_back(label_set(logits, 0, info_));
      for (const float x : logits) probabilities.push_back(sigmoid(static_cast<double>(x)));
    }
    std::ranges::move(truth_cells(i), std::back_inserter(row));
    for (const double p : probabilities) row.push_back(probability_text(p));
    table.rows.push_back(std::move(row));
  }
  return table;
}

LeaderboardFile SequenceSplit::leaderboard(const Outputs& outputs) const {
  LeaderboardFile result{form_.file, {{"index", "prediction"}, {}}};
  if (form_.file.empty()) return result;
  for (std::size_t i = 0; i < sequences_.size(); ++i) {
    const std::string prediction = info_.answer == AnswerKind::kClass
                                       ? form_.label(argmax(outputs[i]))
                                       : number_text(std::clamp(outputs[i][0], form_.lowest, form_.highest));
    result.table.rows.push_back({ids_[i], prediction});
  }
  return result;
}

std::vector<std::array<double, 2>> SequenceSplit::points(const Outputs& outputs) const {
  std::vector<std::array<double, 2>> points;
  if (info_.answer != AnswerKind::kValue || !labelled_) return points;
  for (std::size_t i = 0; i < sequences_.size(); ++i)
    points.push_back({static_cast<double>(sequences_[i].values.at(0)), static_cast<double>(outputs[i][0])});
  return points;
}

Confusion SequenceSplit::confusion(const Outputs& outputs) const {
  if (info_.answer != AnswerKind::kClass || !labelled_) return {};
  const std::size_t n = info_.labels.size();
  Confusion confusion{info_.labels, std::vector(n, std::vector<std::int64_t>(n))};
  for (std::size_t i = 0; i < sequences_.size(); ++i)
    ++confusion.counts[static_cast<std::size_t>(sequences_[i].label)][argmax(outputs[i])];
  return confusion;
}

std::vector<std::int32_t> best_classes(const Outputs& outputs) {
  std::vector<std::int32_t> classes;
  for (std::size_t i = 0; i < outputs.size(); ++i)
    classes.push_back(static_cast<std::int32_t>(argmax(outputs[i])));
  return classes;
}

std::vector<Score> class_scores(std::span<const std::string> metrics, std::span<const std::int32_t> truth,
                                std::span<const std::int32_t> predicted) {
  std::vector<Score> scores;
  const auto add = [&](const std::string& metric, double value) {
    scores.push_back(scored(metric, value, truth, predicted));
  };
  for (const auto& metric : metrics) {
    if (metric == "accuracy") add(metric, accuracy(truth, predicted));
    if (metric == "f1") add(metric, f1_of_class(truth, predicted, 1));
    if (metric == "f1_macro") add(metric, f1_macro(truth, predicted));
    if (metric == "matthews_correlation") add(metric, matthews_correlation(truth, predicted));
  }
  return scores;
}

std::vector<Score> value_scores(std::span<const std::string> metrics, std::span<const double> truth,
                                std::span<const double> predicted) {
  std::vector<Score> scores;
  const auto add = [&](const std::string& metric, double value) {
    scores.push_back(scored(metric, value, truth, predicted));
  };
  for (const auto& metric : metrics) {
    if (metric == "pearson") add(metric, pearson_correlation(truth, predicted));
    if (metric == "spearmanr") add(metric, spearman_correlation(truth, predicted));
    if (metric == "mean_squared_error") add(metric, mean_squared_difference(truth, predicted));
  }
  return scores;
}

std::string number_text(float value) {
  return fmt::format("{}", value);
}

std::string probability_text(double value) {
  return fmt::format("{:.6g}", value);
}

}  // namespace nystrom
