#include "launch/report/judgements.h"

#include <fmt/format.h>

#include "kernels/core/html.h"
#include "launch/chart/figure.h"
#include "launch/chart/scale.h"
#include "launch/report/progress.h"

namespace nystrom {
namespace {

LineChart reliability_chart(const std::string& split, const std::vector<CalibrationBin>& bins) {
  Line curve{.name = "accuracy", .points = {}, .color = 0, .look = Line::Look::kDotted};
  Line share{.name = "share of the predictions", .points = {}, .color = 1, .look = Line::Look::kDots};
  double all = 0;
  for (const CalibrationBin& bin : bins) all += static_cast<double>(bin.count);
  for (const CalibrationBin& bin : bins) {
    if (bin.count == 0) continue;
    curve.points.push_back({bin.confidence, bin.accuracy});
    share.points.push_back({bin.confidence, static_cast<double>(bin.count) / all});
  }
  const Line equal{
      .name = "", .points = {{0, 0}, {1, 1}}, .color = 6, .dashed = true, .look = Line::Look::kFaint};
  return {.title = "Reliability, " + split,
          .x_name = "confidence",
          .y_name = "accuracy",
          .lines = {equal, curve, share},
          .from_zero = true};
}

std::string worst_table(const std::vector<WorstExample>& examples) {
  std::string html = "<div class=\"wide\"><table>\n<thead>" +
                     html_row({html_heading("id"), html_heading("truth"), html_heading("prediction"),
                               html_heading("loss"), html_heading("text")}) +
                     "</thead><tbody>\n";
  for (const WorstExample& one : examples)
    html += html_row({html_cell(one.id), html_cell(one.truth), html_cell(one.prediction),
                      html_cell(number_text(one.loss, 3), "number"), html_cell(one.text)});
  return html + "</tbody></table></div>\n";
}

}  // namespace

std::string calibration_part(const TaskDetails& details) {
  std::string figures;
  std::size_t number = 0;
  for (const auto& [split, bins] : details.calibrations)
    figures += figure_of(
        reliability_chart(split, bins),
        {.id = fmt::format("calibration-{}", number++),
         .caption = fmt::format("Reliability, {}: expected calibration error {:.4f}", split,
                                calibration_error(bins)),
         .note =
             "A point for each tenth of confidence, the probability of the predicted class: on the dashed line the model is calibrated, below it overconfident.",
         .log_y = false});
  return figures.empty() ? figures : "<h3>Calibration</h3>\n<div class=\"figures\">\n" + figures + "</div>\n";
}

std::string worst_part(const TaskDetails& details) {
  std::string html;
  for (const auto& [split, examples] : details.worst)
    html += fmt::format("<details><summary>Worst examples, {}: {}</summary>\n{}</details>\n",
                        html_escaped(split), examples.size(), worst_table(examples));
  return html;
}

}  // namespace nystrom
