// Summary: what is asked first of a run.

#include <fmt/format.h>

#include <cmath>

#include "kernels/core/html.h"
#include "launch/chart/scale.h"
#include "launch/report/progress.h"
#include "launch/report/sections.h"
#include "trainer/metrics/progress.h"

namespace nystrom {
namespace {

std::string tile(std::string_view name, const std::string& value, const std::string& remark = {}) {
  if (value.empty()) return {};
  return fmt::format("<div class=\"tile\"><dt>{}</dt><dd>{}{}</dd></div>\n", html_escaped(name),
                     html_escaped(value),
                     remark.empty() ? "" : fmt::format("<small>{}</small>", html_escaped(remark)));
}

std::string best_text(const BestValidation& best) {
  return fmt::format("{} {}", best.name, number_text(best.value, 5));
}

/// "perplexity 113.2", of the masked language model's loss.
std::string perplexity_text(const History& history) {
  const Series& loss = history.of("validation_mlm_loss");
  return loss.empty() ? std::string() : fmt::format("perplexity {}", number_text(std::exp(loss.min()), 4));
}

std::string machine_text(const RunStart& start) {
  if (start.ranks == 0) return {};
  return fmt::format("{} rank{} × {} thread{}", start.ranks, start.ranks == 1 ? "" : "s", start.threads,
                     start.threads == 1 ? "" : "s");
}

std::string progress_bar(const Progress& progress) {
  const auto share = progress.share();
  if (!share) return {};
  return fmt::format("<progress max=\"1\" value=\"{:.4f}\">{:.0f} %</progress>\n", *share, 100 * *share);
}

std::string tiles(const ReportedRun& run) {
  const Progress progress = progress_of(run);
  const RunStart start = run.record.starts.empty() ? RunStart() : run.record.starts.back();
  std::string html = "<dl class=\"tiles\">\n";
  html += tile("State", std::string(name_of(progress.phase)),
               progress.phase == RunPhase::kRunning ? "a job holds the directory" : "");
  html += tile("Step", steps_text(progress));
  html += tile("Time", progress.seconds > 0 ? duration_text(progress.seconds) : "",
               progress.seconds_left ? duration_text(*progress.seconds_left) + " left" : "");
  if (const auto best = best_validation(run)) {
    const bool is_loss = best->name == "loss";
    const std::string at = best->step > 0 ? fmt::format("at step {}", grouped(best->step)) : "";
    const std::string perplexity = is_loss ? perplexity_text(run.history) : std::string();
    html += tile("Best validation", best_text(*best), perplexity.empty() ? at : at + ", " + perplexity);
  }
  if (progress.tokens_per_second)
    html +=
        tile("Speed", grouped(std::llround(*progress.tokens_per_second)) + " tokens/s", machine_text(start));
  if (start.parameters > 0)
    html += tile("Parameters", number_text(static_cast<double>(start.parameters), 4), start.precision);
  if (run.history.skipped() > 0) html += tile("Skipped steps", grouped(run.history.skipped()));
  return html + "</dl>\n" + progress_bar(progress);
}

std::string row(const ReportedRun& run) {
  const Progress progress = progress_of(run);
  const auto best = best_validation(run);
  const Series& loss = run.history.of("loss");
  const std::int64_t parameters = run.record.starts.empty() ? 0 : run.record.starts.back().parameters;
  return html_row(
      {html_cell(run.label), html_cell(name_of(progress.phase)), html_cell(steps_text(progress)),
       html_cell(best ? best_text(*best) : "", "number"),
       html_cell(best ? grouped(best->step) : "", "number"),
       html_cell(loss.empty() ? "" : number_text(loss.even().back().mean(), 5), "number"),
       html_cell(progress.tokens_per_second ? grouped(std::llround(*progress.tokens_per_second)) : "",
                 "number"),
       html_cell(parameters > 0 ? number_text(static_cast<double>(parameters), 4) : "", "number"),
       html_cell(progress.seconds > 0 ? duration_text(progress.seconds) : "", "number")});
}

std::string table(std::span<const ReportedRun> runs) {
  std::string html =
      "<div class=\"wide\"><table>\n<thead>" +
      html_row({html_heading("run"), html_heading("state"), html_heading("step"),
                html_heading("best validation"), html_heading("at step"), html_heading("training loss"),
                html_heading("tokens/s"), html_heading("parameters"), html_heading("time")}) +
      "</thead><tbody>\n";
  for (const ReportedRun& run : runs) html += row(run);
  return html + "</tbody></table></div>\n";
}

}  // namespace

std::string summary_section(std::span<const ReportedRun> runs) {
  std::string html = "<section>\n";
  html += runs.size() == 1 ? tiles(runs.front()) : table(runs);
  for (const ReportedRun& run : runs) {
    for (const std::string& problem : run.record.problems)
      html += fmt::format("<p class=\"problem\">{}</p>\n", html_escaped(problem));
    if (run.damaged_lines > 0)
      html += fmt::format(
          "<p class=\"problem\">{} of {} lines of {}/metrics.jsonl are corrupt and skipped.</p>\n",
          run.damaged_lines, run.damaged_lines + run.history.lines(), html_escaped(run.record.directory));
  }
  return html + "</section>\n";
}

}  // namespace nystrom
