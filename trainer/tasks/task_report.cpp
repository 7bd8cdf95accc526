// report.html: a self-contained page with SVG charts.

#include <algorithm>
#include <cmath>

#include "kernels/core/check.h"
#include "kernels/core/html.h"
#include "trainer/tasks/task_results.h"

namespace nystrom {
namespace {

constexpr double kWidth = 640, kHeight = 240, kMargin = 40;

struct Curve {
  std::string name, color;
  std::vector<double> x, y;
};

struct Span {
  double min = INFINITY, max = -INFINITY;
  void add(double value) {
    min = std::min(min, value);
    max = std::max(max, value);
  }
  /// Where `value` stands between 0 and 1.
  [[nodiscard]] double share(double value) const { return max > min ? (value - min) / (max - min) : 0.5; }
};

std::string chart(const std::string& title, const std::vector<Curve>& curves) {
  Span x, y;
  for (const auto& curve : curves)
    for (std::size_t i = 0; i < curve.x.size(); ++i)
      if (std::isfinite(curve.y[i])) x.add(curve.x[i]), y.add(curve.y[i]);
  if (!std::isfinite(y.min)) return {};
  std::string svg = fmt::format("<h2>{}</h2>\n<svg viewBox=\"0 0 {} {}\" role=\"img\">\n",
                                html_escaped(title), kWidth, kHeight);
  svg += fmt::format("<text x=\"2\" y=\"{}\">{:.4g}</text><text x=\"2\" y=\"{}\">{:.4g}</text>\n", kMargin,
                     y.max, kHeight - kMargin, y.min);
  double legend = kMargin;
  for (const auto& curve : curves) {
    std::string points;
    for (std::size_t i = 0; i < curve.x.size(); ++i) {
      if (!std::isfinite(curve.y[i])) continue;
      const double px = kMargin + 20 + x.share(curve.x[i]) * (kWidth - 2 * kMargin - 20);
      const double py = kHeight - kMargin - y.share(curve.y[i]) * (kHeight - 2 * kMargin);
      points += fmt::format("{:.1f},{:.1f} ", px, py);
      svg += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3\" fill=\"{}\"/>\n", px, py, curve.color);
    }
    svg += fmt::format("<polyline points=\"{}\" fill=\"none\" stroke=\"{}\"/>\n", points, curve.color);
    svg += fmt::format("<text x=\"{}\" y=\"{}\" fill=\"{}\">{}</text>\n", legend + 20, kHeight - 8,
                       curve.color, html_escaped(curve.name));
    legend += 180;
  }
  return svg + "</svg>\n";
}

std::string number(double value) {
  return std::isnan(value) ? "undefined" : fmt::format("{:.4f}", value);
}

std::string results_table(const TaskResults& results) {
  std::string html =
      "<table>" + html_row({html_heading("split"), html_heading("metric"), html_heading("value")});
  for (const auto& split : results.splits)
    for (const auto& score : split.scores)
      html += html_row({html_cell(split.split), html_cell(score.name),
                        html_cell(fmt::format("{} {}", number(score.value), score.why))});
  return html + "</table>\n";
}

std::string confusion_table(const std::string& split, const Confusion& confusion) {
  std::string html = fmt::format(
      "<h2>Confusion, {} (rows: truth, columns: prediction)</h2>\n<table><tr><th></th>", html_escaped(split));
  for (const auto& label : confusion.labels) html += html_heading(label);
  html += "</tr>\n";
  for (std::size_t t = 0; t < confusion.counts.size(); ++t) {
    html += "<tr>" + html_heading(confusion.labels[t]);
    for (std::size_t p = 0; p < confusion.counts[t].size(); ++p)
      html += html_cell(std::to_string(confusion.counts[t][p]), t == p ? "right" : "");
    html += "</tr>\n";
  }
  return html + "</table>\n";
}

std::string scatter(const std::string& split, const std::vector<std::array<double, 2>>& points) {
  constexpr std::size_t kMaxPoints = 5000;  // circles that a browser draws at once
  constexpr double kSide = 360;
  Span span;
  for (const auto& point : points) span.add(point[0]), span.add(point[1]);
  const auto place = [&](double value) { return kMargin + span.share(value) * (kSide - 2 * kMargin); };
  std::string svg = fmt::format(
      "<h2>Predictions, {} (across: truth, up: prediction)</h2>\n<svg viewBox=\"0 0 {} {}\" role=\"img\">\n",
      html_escaped(split), kSide, kSide);
  svg += fmt::format("<line x1=\"{0}\" y1=\"{1}\" x2=\"{1}\" y2=\"{0}\" stroke=\"#bbb\"/>\n", kMargin,
                     kSide - kMargin);
  for (const double end : {span.min, span.max})
    svg += fmt::format(
        "<text x=\"{0:.1f}\" y=\"{1}\">{3:.4g}</text><text x=\"2\" y=\"{2:.1f}\">{3:.4g}</text>\n",
        place(end), kSide - 12, kSide - place(end), end);
  for (std::size_t i = 0; i < points.size(); i += points.size() / kMaxPoints + 1)
    svg +=
        fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"2\" fill=\"#1f77b4\" fill-opacity=\"0.5\"/>\n",
                    place(points[i][0]), kSide - place(points[i][1]));
  return svg + "</svg>\n";
}

}  // namespace

std::string report_html(const TaskReport& report) {
  const TaskResults& results = report.results;
  Curve training{"training loss", "#1f77b4", {}, {}}, validation{"validation loss", "#d62728", {}, {}},
      metric{results.metric, "#2ca02c", {}, {}};
  for (const auto& e : report.evaluations) {
    for (Curve* curve : {&training, &validation, &metric}) curve->x.push_back(static_cast<double>(e.step));
    training.y.push_back(e.training_loss);
    validation.y.push_back(e.validation_loss);
    metric.y.push_back(metric_of(e, results.metric));
  }
  std::string html = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{0}</title>\n<style>"
      "body{{font:16px sans-serif;max-width:46em;margin:2em auto}}table{{border-collapse:collapse}}"
      "td,th{{border:1px solid #bbb;padding:.2em .6em;text-align:right}}.right{{background:#dfd}}"
      "svg{{width:100%}}text{{font-size:12px}}</style></head><body>\n<h1>{0}</h1>\n",
      html_escaped(results.task));
  html += fmt::format("<p>Model {}, seed {}{}.</p>\n", html_escaped(results.model), results.seed,
                      results.steps > 0 ? fmt::format(", {} steps", results.steps) : "");
  html += results_table(results);
  html += chart("Loss by step", {training, validation});
  html += chart(results.metric + " by step", {metric});
  for (const auto& [split, confusion] : report.confusions) html += confusion_table(split, confusion);
  for (const auto& [split, points] : report.scatters) html += scatter(split, points);
  return html + "</body></html>\n";
}

}  // namespace nystrom
