#include "data/tasks/scores.h"

#include <algorithm>
#include <cmath>

#include "data/tasks/metrics/classification.h"
#include "data/tasks/metrics/correlation.h"

namespace nystrom {
namespace {

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

double label_macro_f1(const LabelSets& sets) {
  double sum = 0;
  for (std::size_t l = 0; l < sets.labels; ++l) {
    std::vector<std::int32_t> truth, predicted;
    for (std::size_t i = l; i < sets.truth.size(); i += sets.labels) {
      truth.push_back(sets.truth[i]);
      predicted.push_back(sets.predicted[i]);
    }
    const double f1 = f1_of_class(truth, predicted, 1);
    sum += std::isnan(f1) ? 0 : f1;
  }
  return sum / static_cast<double>(sets.labels);
}

double whole_set_accuracy(const LabelSets& sets) {
  const std::size_t examples = sets.truth.size() / sets.labels;
  std::size_t right = 0;
  for (std::size_t i = 0; i < examples; ++i) {
    const auto begin = static_cast<std::ptrdiff_t>(i * sets.labels);
    const auto end = begin + static_cast<std::ptrdiff_t>(sets.labels);
    right += std::equal(sets.truth.begin() + begin, sets.truth.begin() + end, sets.predicted.begin() + begin);
  }
  return static_cast<double>(right) / static_cast<double>(examples);
}

}  // namespace

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

std::vector<Score> label_set_scores(std::span<const std::string> metrics, const LabelSets& sets) {
  std::vector<Score> scores;
  const auto add = [&](const std::string& metric, double value) {
    scores.push_back(scored<std::int32_t>(metric, value, sets.truth, sets.predicted));
  };
  for (const auto& metric : metrics) {
    if (metric == "f1_micro") add(metric, f1_of_class(sets.truth, sets.predicted, 1));
    if (metric == "f1_macro") add(metric, label_macro_f1(sets));
    if (metric == "accuracy") add(metric, whole_set_accuracy(sets));
  }
  return scores;
}

}  // namespace nystrom
