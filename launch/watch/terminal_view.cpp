#include "launch/watch/terminal_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "kernels/core/printable.h"
#include "launch/chart/label.h"
#include "launch/chart/scale.h"
#include "launch/chart/sparkline.h"
#include "launch/report/progress.h"
#include "trainer/metrics/progress.h"

namespace nystrom {
namespace {

std::string progress_line(const Progress& progress) {
  std::string line = steps_text(progress);
  if (progress.seconds > 0) line += "   " + duration_text(progress.seconds);
  if (progress.seconds_left) line += "   " + duration_text(*progress.seconds_left) + " left";
  if (progress.tokens_per_second)
    line += fmt::format("   {} tokens/s", grouped(std::llround(*progress.tokens_per_second)));
  return line;
}

/// "[####......]"
std::string bar(double share, std::size_t columns) {
  const auto done = static_cast<std::size_t>(std::lround(share * static_cast<double>(columns)));
  return "[" + std::string(done, '#') + std::string(columns - done, '.') + "]";
}

std::string series_line(const Series& series, std::size_t columns) {
  constexpr std::size_t kNumber = 10;
  return fmt::format("{:<{}}{}", number_text(series.last(), 5), kNumber,
                     sparkline(series, columns > kNumber ? columns - kNumber : 1));
}

}  // namespace

std::string sparkline(const Series& series, std::size_t columns) {
  std::vector<double> means;
  for (const Bucket& bucket : series.even()) means.push_back(bucket.mean());
  return sparkline(means, columns);
}

std::string terminal_view(const ReportedRun& run, const std::string& ranks, std::size_t columns) {
  constexpr std::size_t kName = 12;
  const std::size_t room = columns > kName + 1 ? columns - kName - 1 : 1;
  const Progress progress = progress_of(run);
  std::string view;
  const auto line = [&](std::string_view name, const std::string& value) {
    view += fmt::format("{:<{}} {}\n", name, kName, short_label(value, room));
  };
  line("run", printable(run.record.directory));
  line("state", std::string(name_of(progress.phase)));
  line("step", progress_line(progress));
  if (const auto share = progress.share(); share && room > 12)
    line("", bar(*share, std::min<std::size_t>(room - 2, 60)));
  for (const char* name : {"loss", "mlm_loss", "sop_loss", "validation_loss", "gradient_norm"})
    if (const Series& series = run.history.of(name); !series.empty()) {
      std::string label = name;
      std::ranges::replace(label, '_', ' ');
      if (label.starts_with("validation")) label = "validation";
      if (label == "gradient norm") label = "norm";
      line(label, series_line(series, std::min<std::size_t>(room, 70)));
    }
  if (const auto best = best_validation(run))
    line("best", fmt::format("{} {} at step {}", printable(best->name), number_text(best->value, 5),
                             grouped(best->step)));
  if (!run.record.checkpoints.empty()) line("checkpoint", printable(run.record.checkpoints.back().name));
  return ranks.empty() ? view : view + "\n" + printable_lines(ranks);
}

std::string terminal_list(const std::vector<ReportedRun>& runs) {
  std::size_t widest = 3;
  for (const ReportedRun& run : runs) widest = std::max(widest, label_length(printable(run.label)));
  std::string text;
  for (const ReportedRun& run : runs) {
    const Progress progress = progress_of(run);
    const Series& loss = run.history.of("loss");
    const std::string name = printable(run.label);
    text += fmt::format("{}{}  {:<8} {:<26} {}\n", name, std::string(widest - label_length(name), ' '),
                        name_of(progress.phase), steps_text(progress),
                        loss.empty() ? std::string() : "loss " + number_text(loss.last(), 5));
  }
  return text;
}

}  // namespace nystrom
