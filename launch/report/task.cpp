// Fine-tuning: scores by evaluation and split, classes and their confusions, predicted numbers.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "kernels/core/html.h"
#include "kernels/core/json.h"
#include "launch/chart/figure.h"
#include "launch/chart/heat_map.h"
#include "launch/report/classes.h"
#include "launch/report/judgements.h"
#include "launch/report/progress.h"
#include "launch/report/sections.h"

namespace nystrom {
namespace {

using OrderedJson = nlohmann::ordered_json;

constexpr std::size_t kMaxClassesDrawn = 40, kMaxClassesListed = 200, kMaxMistakes = 10;

std::string text_in(const OrderedJson& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

/// "undefined: REASON" for what has no value.
std::string score_text(const OrderedJson& results, const std::string& split, const std::string& name,
                       const OrderedJson& value) {
  if (value.is_number()) return number_text(value.get<double>(), 5);
  const OrderedJson reasons =
      results.value("undefined", OrderedJson::object()).value(split, OrderedJson::object());
  const std::string reason = text_in(reasons, name.c_str());
  return reason.empty() ? "undefined" : "undefined: " + reason;
}

std::string results_table(const OrderedJson& results) {
  std::string rows;
  for (const auto& [split, scores] : results.items()) {
    if (!scores.is_object() || split == "undefined") continue;
    for (const auto& [name, value] : scores.items())
      rows += html_row(
          {html_cell(split), html_cell(name), html_cell(score_text(results, split, name, value), "number")});
  }
  if (rows.empty()) return {};
  return "<div class=\"wide\"><table>\n<thead>" +
         html_row({html_heading("split"), html_heading("metric"), html_heading("value")}) +
         "</thead><tbody>\n" + rows + "</tbody></table></div>\n";
}

std::string results_head(const OrderedJson& results) {
  std::string text = text_in(results, "task");
  const std::string model = text_in(results, "model");
  if (!model.empty()) text += fmt::format("{}model: {}", text.empty() ? "" : "; ", model);
  return text.empty() ? text : fmt::format("<p>{}.</p>\n", html_escaped(text));
}

/// Best evaluation, and whether training ended before its last.
std::string end_text(const RunRecord& run, const std::string& metric, std::optional<std::size_t> best) {
  if (!best) return {};
  const TaskEvaluation& evaluation = run.evaluations[*best];
  const std::string best_score =
      fmt::format("{}, {},", metric, number_text(metric_of(evaluation, metric), 5));
  std::string html = fmt::format("<p>The best {} was reached at step {} (epoch {}).",
                                 html_escaped(best_score), grouped(evaluation.step), evaluation.epoch);
  const std::int64_t last = run.evaluations.back().step;
  if (!run.results.empty() && run.steps() > last)
    html += fmt::format(
        " Training ended early, after step {} of {}: no evaluation was better (<code>training.patience</code>).",
        grouped(last), grouped(run.steps()));
  return html + "</p>\n";
}

LineChart loss_chart(const std::vector<TaskEvaluation>& evaluations) {
  Line training{.name = "training", .points = {}, .color = 0, .look = Line::Look::kDotted};
  Line validation{.name = "validation", .points = {}, .color = 1, .look = Line::Look::kDotted};
  for (const TaskEvaluation& e : evaluations) {
    training.points.push_back({static_cast<double>(e.step), e.training_loss});
    validation.points.push_back({static_cast<double>(e.step), e.validation_loss});
  }
  return {.title = "Loss by step",
          .x_name = "step",
          .y_name = "nats",
          .lines = {training, validation},
          .whole_x = true};
}

/// A line for each metric of the first split that the chart can hold.
LineChart metric_chart(const std::vector<TaskEvaluation>& evaluations, const std::string& chosen,
                       std::optional<std::size_t> best) {
  LineChart chart{.title = "Metrics by step", .x_name = "step", .y_name = "", .lines = {}, .whole_x = true};
  if (evaluations.front().splits.empty()) return chart;
  for (const Score& score : evaluations.front().splits.front().scores) {
    if (chart.lines.size() >= kPaletteSize) break;
    Line line{.name = score.name, .points = {}, .color = chart.lines.size(), .look = Line::Look::kDotted};
    line.dashed = score.name != chosen;
    for (const TaskEvaluation& e : evaluations)
      line.points.push_back({static_cast<double>(e.step), metric_of(e, score.name)});
    chart.lines.push_back(std::move(line));
  }
  if (best) chart.marks = {{static_cast<double>(evaluations[*best].step), "best", Mark::Kind::kBest}};
  return chart;
}

std::string evaluations_part(const RunRecord& run, const std::string& metric) {
  if (run.evaluations.empty()) return {};
  const auto best = best_of(run.evaluations, metric);
  std::string figures =
      figure_of(loss_chart(run.evaluations), {.id = "evaluation-loss", .caption = "Loss by step"});
  figures += figure_of(metric_chart(run.evaluations, metric, best),
                       {.id = "evaluation-metric", .caption = "Validation metrics by step", .log_y = false});
  return end_text(run, metric, best) + "<div class=\"figures\">\n" + figures + "</div>\n";
}

std::string share_text(double share) {
  return std::isnan(share) ? "undefined" : fmt::format("{:.4f}", share);
}

std::string class_table(const Confusion& confusion) {
  std::string html = "<div class=\"wide\"><table>\n<thead>" +
                     html_row({html_heading("class"), html_heading("precision"), html_heading("recall"),
                               html_heading("F1"), html_heading("examples"), html_heading("predicted")}) +
                     "</thead><tbody>\n";
  std::vector<ClassScores> classes = class_scores(confusion);
  const std::size_t rest = classes.size() - std::min(classes.size(), kMaxClassesListed);
  classes.resize(classes.size() - rest);
  for (const ClassScores& one : classes)
    html +=
        html_row({html_cell(one.label), html_cell(share_text(one.precision), "number"),
                  html_cell(share_text(one.recall), "number"), html_cell(share_text(one.f1), "number"),
                  html_cell(grouped(one.support), "number"), html_cell(grouped(one.predicted), "number")});
  html += "</tbody></table></div>\n";
  return rest == 0 ? html : html + fmt::format("<p class=\"note\">and {} more classes.</p>\n", rest);
}

/// Shaded by the share of a class's examples, so that rare classes show too.
std::string confusion_figure(const std::string& id, const std::string& split, const Confusion& confusion) {
  HeatMap map{.title = "Confusion, " + split,
              .across = "prediction",
              .down = "truth",
              .columns = confusion.labels,
              .rows = confusion.labels,
              .values = {},
              .from_zero = true};
  for (const auto& row : confusion.counts) {
    std::int64_t all = 0;
    for (const std::int64_t count : row) all += count;
    map.values.emplace_back();
    map.texts.emplace_back();
    for (const std::int64_t count : row) {
      map.values.back().push_back(all == 0 ? std::nan("")
                                           : static_cast<double>(count) / static_cast<double>(all));
      map.texts.back().push_back(grouped(count));
    }
  }
  return html_of({.id = id,
                  .caption = fmt::format("Confusion, {} (rows: label, columns: prediction)", split),
                  .views = {{"confusion", svg_of(map)}},
                  .note = "Shaded by the fraction of a row: on the diagonal, recall."});
}

std::string mistakes_list(const Confusion& confusion) {
  const std::vector<Mistake> mistakes = frequent_mistakes(confusion, kMaxMistakes);
  if (mistakes.empty() || confusion.labels.size() < 3) return {};
  std::string html = "<p>Most frequent mistakes:</p>\n<ul>\n";
  for (const Mistake& mistake : mistakes)
    html += fmt::format("<li>{} taken for {}: {}</li>\n", html_escaped(confusion.labels[mistake.truth]),
                        html_escaped(confusion.labels[mistake.prediction]), grouped(mistake.count));
  return html + "</ul>\n";
}

std::string classes_part(const RunRecord& run) {
  std::string html;
  std::size_t number = 0;
  for (const auto& [split, confusion] : run.details.confusions) {
    html += fmt::format("<h3>Classes, {}</h3>\n<div class=\"figures\">\n", html_escaped(split));
    if (confusion.labels.size() <= kMaxClassesDrawn)
      html += confusion_figure(fmt::format("confusion-{}", number++), split, confusion);
    html += "<div>\n" + class_table(confusion) + mistakes_list(confusion) + "</div>\n</div>\n";
  }
  return html;
}

LineChart scatter_chart(const std::string& split, const std::vector<std::array<double, 2>>& points) {
  Line all{.name = "", .points = {}, .look = Line::Look::kDots};
  Extent extent;
  for (const auto& [truth, prediction] : points) {
    all.points.push_back({truth, prediction});
    extent.add(truth), extent.add(prediction);
  }
  const Line equal{.name = "",
                   .points = {{extent.low, extent.low}, {extent.high, extent.high}},
                   .color = 6,
                   .dashed = true,
                   .look = Line::Look::kFaint};
  return {.title = "Predictions, " + split, .x_name = "truth", .y_name = "prediction", .lines = {equal, all}};
}

std::string scatters_part(const RunRecord& run) {
  std::string figures;
  for (const auto& [split, points] : run.details.scatters)
    figures += figure_of(scatter_chart(split, points),
                         {.id = fmt::format("scatter-{}", figures.size()),
                          .caption = fmt::format("Predictions, {} (x: target, y: prediction)", split),
                          .log_y = false});
  return figures.empty() ? figures : "<div class=\"figures\">\n" + figures + "</div>\n";
}

}  // namespace

std::string task_section(const ReportedRun& run) {
  const OrderedJson results = try_parse_json<OrderedJson>(run.record.results);
  const auto best = best_validation(run);
  std::string html;
  if (results.is_object()) html += results_head(results) + results_table(results);
  html += evaluations_part(run.record, best ? best->name : std::string());
  html += classes_part(run.record) + scatters_part(run.record);
  html += calibration_part(run.record.details) + worst_part(run.record.details);
  return html.empty() ? html : "<section>\n<h2>Task</h2>\n" + html + "</section>\n";
}

}  // namespace nystrom
