// Curves: one chart for each number of metrics.jsonl. Names that the table below does not know have a chart
// too.

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "kernels/core/check.h"
#include "launch/chart/figure.h"
#include "launch/chart/standalone.h"
#include "launch/report/sections.h"

namespace nystrom {
namespace {

struct Curve {
  std::string_view name;  ///< in metrics.jsonl, without "validation_"
  std::string_view caption, unit;
  bool noisy = true;       ///< drawn smoothed too
  bool from_zero = false;  ///< the axis begins at 0
  bool log = true;         ///< has a logarithmic view
};

constexpr std::string_view kValidation = "validation_";

constexpr std::array kKnown{
    Curve{"loss", "Loss", "nats"},
    Curve{"mlm_loss", "Masked language model: loss", "nats"},
    Curve{"sop_loss", "Sentence order: loss", "nats"},
    Curve{
        .name = "mlm_accuracy", .caption = "Masked language model: accuracy", .unit = "share", .log = false},
    Curve{.name = "sop_accuracy", .caption = "Sentence order: accuracy", .unit = "share", .log = false},
    Curve{.name = "learning_rate", .caption = "Learning rate", .unit = "", .noisy = false, .from_zero = true},
    Curve{.name = "adamw_learning_rate",
          .caption = "Learning rate of the tensors that AdamW updates",
          .unit = "",
          .noisy = false,
          .from_zero = true},
    Curve{.name = "beta1", .caption = "Beta1", .unit = "", .noisy = false, .log = false},
    Curve{"gradient_norm", "Gradient norm before clipping", "norm"},
    Curve{.name = "tokens_per_second",
          .caption = "Speed of all ranks",
          .unit = "tokens/s",
          .from_zero = true,
          .log = false},
    Curve{
        .name = "mfu", .caption = "Model FLOP utilization", .unit = "share", .from_zero = true, .log = false},
};

/// Not worth a chart: they rise with the steps, or say how long a validation took.
bool is_bookkeeping(std::string_view name) {
  return name == "samples" || name == "seconds" || name.ends_with("_labels");
}

/// Curves of all runs: known ones in the table's order, then others.
std::vector<Curve> curves_of(std::span<const ReportedRun> runs, std::vector<std::string>& names) {
  for (const ReportedRun& run : runs)
    for (std::string name : run.history.names()) {
      if (name.starts_with(kValidation)) name.erase(0, kValidation.size());
      if (!is_bookkeeping(name)) names.push_back(name);
    }
  std::ranges::sort(names);
  names.erase(std::unique(names.begin(), names.end()), names.end());
  std::vector<Curve> curves;
  for (const Curve& known : kKnown)
    if (std::ranges::binary_search(names, known.name)) curves.push_back(known);
  for (const std::string& name : names)
    if (std::ranges::find(kKnown, name, &Curve::name) == kKnown.end())
      curves.push_back({.name = name, .caption = name, .unit = "", .log = false});
  return curves;
}

std::vector<Point> points_of(const std::vector<Bucket>& buckets) {
  std::vector<Point> points;
  points.reserve(buckets.size());
  for (const Bucket& bucket : buckets) points.push_back({bucket.step(), bucket.mean()});
  return points;
}

std::vector<Spread> band_of(const std::vector<Bucket>& buckets) {
  std::vector<Spread> band;
  if (std::ranges::all_of(buckets, [](const Bucket& bucket) { return bucket.count == 1; })) return band;
  for (const Bucket& bucket : buckets) band.push_back({bucket.step(), bucket.least, bucket.most});
  return band;
}

/// Points over which the moving average goes.
double window_of(std::size_t points) {
  constexpr std::size_t kFew = 24;  // each can be shown
  return points < kFew ? 1 : std::max(2.0, static_cast<double>(points) / 40);
}

/// Where lines come from: the buckets of a linear or a logarithmic axis.
const std::vector<Bucket>& buckets_of(const Series& series, Scale x_scale) {
  return x_scale == Scale::kLog ? series.by_octave() : series.even();
}

struct Drawn {
  std::string name;  ///< in the legend
  std::size_t color = 0;
  bool crowded = false;  ///< many runs: nothing behind the lines
};

void add_training(LineChart& chart, const Series& series, const Curve& curve, const Drawn& drawn) {
  const std::vector<Bucket>& buckets = buckets_of(series, chart.x_scale);
  if (buckets.empty()) return;
  std::vector<Point> points = points_of(buckets);
  const double window = curve.noisy ? window_of(points.size()) : 1;
  std::vector<Spread> band = drawn.crowded ? std::vector<Spread>() : band_of(buckets);
  if (window > 1 && !drawn.crowded)
    chart.lines.push_back({.name = "", .points = points, .color = drawn.color, .look = Line::Look::kFaint});
  chart.lines.push_back({.name = drawn.name,
                         .points = smoothed(points, window),
                         .band = std::move(band),
                         .color = drawn.color,
                         .look = points.size() < 3 ? Line::Look::kDotted : Line::Look::kStrong});
}

void add_validation(LineChart& chart, const Series& series, const Drawn& drawn, bool dashed) {
  if (series.empty()) return;
  chart.lines.push_back({.name = drawn.name,
                         .points = points_of(buckets_of(series, chart.x_scale)),
                         .color = drawn.color,
                         .dashed = dashed,
                         .look = Line::Look::kDotted});
}

std::vector<Mark> marks_of(const RunRecord& run) {
  std::vector<Mark> marks;
  for (const RunStart& start : run.starts)
    if (start.first_step > 1)
      marks.push_back({static_cast<double>(start.first_step),
                       fmt::format("resumed at step {}, {}", start.first_step, start.date),
                       Mark::Kind::kResume});
  for (const CheckpointFile& file : run.checkpoints)
    marks.push_back({static_cast<double>(file.step), file.name, Mark::Kind::kCheckpoint});
  return marks;
}

LineChart chart_of(std::span<const ReportedRun> runs, const Curve& curve, Scale x_scale) {
  constexpr std::size_t kCrowd = 4;
  LineChart chart{.title = {}, .x_name = "step", .y_name = std::string(curve.unit), .lines = {}};
  chart.x_scale = x_scale;
  chart.from_zero = curve.from_zero;
  chart.whole_x = true;
  const std::string validation = std::string(kValidation) + std::string(curve.name);
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const History& history = runs[i].history;
    const bool single = runs.size() == 1;
    const bool crowded = runs.size() >= kCrowd;
    add_training(chart, history.of(curve.name), curve, {single ? "training" : runs[i].label, i, crowded});
    const bool named = single || !history.has(curve.name);
    add_validation(chart, history.of(validation),
                   {single ? "validation" : (named ? runs[i].label : std::string()), single ? 1 : i},
                   !single);
  }
  if (runs.size() == 1) chart.marks = marks_of(runs.front().record);
  return chart;
}

/// "Loss: training from 9.2 to 5.1, validation from 7.3 to 5.3" for those who cannot see the chart.
std::string spoken(const LineChart& chart, std::string_view caption) {
  std::string text(caption);
  for (const Line& line : chart.lines)
    if (!line.name.empty() && !line.points.empty())
      text += fmt::format("{} {} from {} to {}", text.size() == caption.size() ? ":" : ",", line.name,
                          number_text(line.points.front().y), number_text(line.points.back().y));
  return text;
}

/// How the points were made from the lines of the file; nothing where each is shown.
std::string note_of(std::span<const ReportedRun> runs) {
  std::int64_t width = 1;
  std::size_t points = 0;
  bool validated = false;
  for (const ReportedRun& run : runs) {
    const Series& loss = run.history.of("loss");
    width = std::max(width, loss.width());
    points = std::max(points, loss.even().size());
    validated = validated || run.history.has("validation_loss");
  }
  std::string note;
  if (width > 1) note += fmt::format("Points are means of {} steps, shaded from minimum to maximum. ", width);
  if (window_of(points) > 1)
    note += fmt::format("The bold line is a moving average over about {:.0f} points. ", window_of(points));
  if (runs.size() > 1 && validated) note += "Dashed with dots: validation. ";
  if (runs.size() == 1 && !marks_of(runs.front().record).empty())
    note += "Triangles on the axis: existing checkpoints. Dotted lines: resumes.";
  return note;
}

std::string figure_id(std::string_view name) {
  std::string id = "curve-";
  for (const char c : name) id += (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ? c : '-';
  return id;
}

std::string curve_figure(std::span<const ReportedRun> runs, const Curve& curve) {
  LineChart even = chart_of(runs, curve, Scale::kLinear), by_octave = chart_of(runs, curve, Scale::kLog);
  if (!has_points(even)) return {};
  even.title = by_octave.title = spoken(even, curve.caption);
  return figure_of(even, {.id = figure_id(curve.name),
                          .caption = std::string(curve.caption),
                          .log_y = curve.log,
                          .log_x = by_octave});
}

/// Epochs of the corpora of one run.
std::string epochs_figure(const ReportedRun& run) {
  LineChart chart{.title = "Epochs by corpus",
                  .x_name = "step",
                  .y_name = "epochs",
                  .lines = {},
                  .from_zero = true,
                  .whole_x = true};
  for (const auto& [corpus, series] : run.history.epochs())
    chart.lines.push_back({.name = fmt::format("{}: {}", corpus, number_text(series.last(), 3)),
                           .points = points_of(series.even()),
                           .color = chart.lines.size()});
  const Setting* mixture = run.record.setting("data.mixture");
  const bool mixed = mixture != nullptr && mixture->value != mixture->standard;
  return figure_of(chart, {.id = "curve-epochs",
                           .caption = "Epochs by corpus",
                           .note = mixed ? "Weights of the samples (data.mixture): " + mixture->value : "",
                           .log_y = false});
}

}  // namespace

std::string curves_section(std::span<const ReportedRun> runs) {
  std::vector<std::string> names;
  std::string figures;
  for (const Curve& curve : curves_of(runs, names)) figures += curve_figure(runs, curve);
  if (runs.size() == 1) figures += epochs_figure(runs.front());
  if (figures.empty()) return {};
  const std::string note = note_of(runs);
  return fmt::format("<section>\n<h2>Curves</h2>\n<div class=\"figures\">\n{}</div>\n{}</section>\n", figures,
                     note.empty() ? note : "<p class=\"note\">" + note + "</p>\n");
}

std::string curve_svg(std::span<const ReportedRun> runs, const std::string& name) {
  std::vector<std::string> names;
  const std::vector<Curve> curves = curves_of(runs, names);
  const auto curve = std::ranges::find(curves, name, &Curve::name);
  if (curve == curves.end())
    refuse("report: unknown curve {}; the curves are {}.", name, fmt::join(names, ", "));
  LineChart chart = chart_of(runs, *curve, Scale::kLinear);
  chart.title = spoken(chart, curve->caption);
  return standalone_svg(chart);
}

}  // namespace nystrom
