#include "trainer/tasks/task_results.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/core/check.h"
#include "kernels/core/json.h"

namespace nystrom {
namespace {

using OrderedJson = nlohmann::ordered_json;

OrderedJson scores_json(const std::vector<Score>& scores) {
  OrderedJson json = OrderedJson::object();
  for (const auto& score : scores) json[score.name] = score.value;  // NaN becomes null
  return json;
}

OrderedJson splits_json(const std::vector<SplitScores>& splits) {
  OrderedJson json = OrderedJson::object();
  for (const auto& split : splits) json[split.split] = scores_json(split.scores);
  return json;
}

double number_of(const OrderedJson& value) {
  return value.is_number() ? value.get<double>() : std::numeric_limits<double>::quiet_NaN();
}

TaskEvaluation evaluation_of(const OrderedJson& json) {
  TaskEvaluation evaluation{json.at("step"),
                            json.at("epoch"),
                            number_of(json.at("training_loss")),
                            number_of(json.at("validation_loss")),
                            {}};
  for (const auto& [split, scores] : json.at("scores").items()) {
    evaluation.splits.push_back({split, {}});
    for (const auto& [name, value] : scores.items())
      evaluation.splits.back().scores.push_back({name, number_of(value)});
  }
  return evaluation;
}

}  // namespace

std::string evaluations_text(const std::vector<TaskEvaluation>& evaluations) {
  OrderedJson list = OrderedJson::array();
  for (const auto& e : evaluations)
    list.push_back({{"step", e.step},
                    {"epoch", e.epoch},
                    {"training_loss", e.training_loss},
                    {"validation_loss", e.validation_loss},
                    {"scores", splits_json(e.splits)}});
  return list.dump(1) + "\n";
}

std::vector<TaskEvaluation> read_evaluations(const std::string& text) {
  std::vector<TaskEvaluation> evaluations;
  const OrderedJson list = try_parse_json<OrderedJson>(text);
  if (!list.is_array()) return evaluations;
  try {
    for (const auto& json : list) evaluations.push_back(evaluation_of(json));
  } catch (const OrderedJson::exception&) {
    evaluations.clear();  // another program's file: the epochs are scored again
  }
  return evaluations;
}

double metric_of(const TaskEvaluation& evaluation, const std::string& metric) {
  if (!evaluation.splits.empty())
    for (const auto& score : evaluation.splits.front().scores)
      if (score.name == metric) return score.value;
  return std::numeric_limits<double>::quiet_NaN();
}

bool is_better(const std::string& metric, double a, double b) {
  if (std::isnan(a) || std::isnan(b)) return !std::isnan(a);
  return metric.ends_with("_error") ? a < b : a > b;
}

double worst_value(const std::string& metric) {
  if (metric.ends_with("_error")) return std::numeric_limits<double>::infinity();
  return metric.ends_with("pearson") || metric.ends_with("spearmanr") ? -1 : 0;
}

std::optional<std::size_t> best_of(const std::vector<TaskEvaluation>& evaluations,
                                   const std::string& metric) {
  std::optional<std::size_t> best;
  for (std::size_t i = 0; i < evaluations.size(); ++i) {
    const double value = metric_of(evaluations[i], metric);
    if (std::isnan(value)) continue;
    if (!best || is_better(metric, value, metric_of(evaluations[*best], metric))) best = i;
  }
  return best;
}

std::string results_text(const TaskResults& results) {
  OrderedJson json =
      results.splits.empty() ? OrderedJson::object() : scores_json(results.splits.back().scores);
  json["task"] = results.task;
  json["model"] = results.model;
  if (!results.data.empty()) json["data"] = results.data;
  json["seed"] = results.seed;
  if (results.steps > 0) json["steps"] = results.steps;
  if (results.best_step > 0) json["best_step"] = results.best_step;
  if (results.best_step > 0) json["best_by"] = results.metric;
  for (const auto& split : results.splits) json[split.split] = scores_json(split.scores);
  for (const auto& split : results.splits)
    for (const auto& score : split.scores)
      if (std::isnan(score.value)) json["undefined"][split.split][score.name] = score.why;
  return json.dump(1) + "\n";
}

std::string label_names_text(const std::vector<std::string>& labels) {
  return OrderedJson(labels).dump();
}

std::vector<std::string> read_label_names(const std::string& text) {
  const OrderedJson json = try_parse_json<OrderedJson>(text);
  std::vector<std::string> labels;
  if (json.is_array())
    for (const auto& label : json)
      labels.push_back(label.is_string() ? label.get<std::string>() : label.dump());
  return labels;
}

std::string task_examples_text(const TaskSplit& train) {
  return fmt::format("{} rows, {}", train.rows(), train.fingerprint().substr(0, 16));
}

std::string tsv_text(const PredictionTable& table) {
  std::string text;
  const auto add = [&text](const std::vector<std::string>& cells) {
    for (std::size_t i = 0; i < cells.size(); ++i) {
      std::string cell = cells[i];
      for (char& c : cell)
        if (c == '\t' || c == '\n' || c == '\r') c = ' ';
      if (i > 0) text += '\t';
      text += cell;
    }
    text += '\n';
  };
  add(table.columns);
  for (const auto& row : table.rows) add(row);
  return text;
}

}  // namespace nystrom
