// Starts: with which command, on which machine, by which versions; and the checkpoints that are there.

#include <fmt/format.h>

#include "kernels/core/html.h"
#include "launch/report/progress.h"
#include "launch/report/sections.h"

namespace nystrom {
namespace {

constexpr std::size_t kMaxShown = 20;

std::string start_row(const RunStart& start) {
  std::string from =
      start.first_step > 1 ? fmt::format("step {}", grouped(start.first_step)) : "the beginning";
  if (!start.departure.empty()) from += "; " + start.departure;
  return html_row({html_cell(start.date), html_cell(from), html_cell(start.host),
                   html_cell(fmt::format("{} × {}", start.ranks, start.threads)), html_cell(start.precision),
                   html_cell(start.version),
                   fmt::format("<td><code>{}</code></td>", html_escaped(start.command))});
}

std::string starts_table(const std::vector<RunStart>& starts) {
  std::string html = "<div class=\"wide\"><table>\n<thead>" +
                     html_row({html_heading("date"), html_heading("from"), html_heading("host"),
                               html_heading("ranks × threads"), html_heading("precision"),
                               html_heading("version"), html_heading("command")}) +
                     "</thead><tbody>\n";
  const std::size_t first = starts.size() - std::min(starts.size(), kMaxShown);
  for (std::size_t i = first; i < starts.size(); ++i) html += start_row(starts[i]);
  html += "</tbody></table></div>\n";
  if (first > 0) html += fmt::format("<p class=\"note\">{} earlier starts are in run.json.</p>\n", first);
  return html;
}

std::string machine_list(const RunStart& start) {
  std::string html = "<dl class=\"facts\">\n";
  const auto fact = [&html](const char* name, const std::string& value) {
    if (!value.empty()) html += fmt::format("<dt>{}</dt><dd>{}</dd>\n", name, html_escaped(value));
  };
  fact("CPU", start.cpu);
  fact("Libraries", start.libraries);
  fact("Memory of a rank",
       start.memory_bytes > 0 ? bytes_text(static_cast<std::uint64_t>(start.memory_bytes)) : "");
  fact("Resumed from", start.resumed_from);
  return html + "</dl>\n";
}

std::string checkpoints_table(const RunRecord& run) {
  if (run.checkpoints.empty()) return {};
  std::string html = "<h3>Checkpoints</h3>\n<div class=\"wide\"><table>\n<thead>" +
                     html_row({html_heading("file"), html_heading("step"), html_heading("size")}) +
                     "</thead><tbody>\n";
  const std::size_t first = run.checkpoints.size() - std::min(run.checkpoints.size(), kMaxShown);
  for (std::size_t i = first; i < run.checkpoints.size(); ++i) {
    const CheckpointFile& file = run.checkpoints[i];
    html += html_row({html_cell(file.name), html_cell(grouped(file.step), "number"),
                      html_cell(bytes_text(file.bytes), "number")});
  }
  html += "</tbody></table></div>\n";
  if (first > 0) html += fmt::format("<p class=\"note\">and {} earlier ones.</p>\n", first);
  if (run.has_best) html += "<p class=\"note\">best.h5 is the best of them by validation.</p>\n";
  return html;
}

}  // namespace

std::string starts_section(const ReportedRun& run) {
  std::string html;
  if (!run.record.starts.empty())
    html += "<h2>Starts</h2>\n" + starts_table(run.record.starts) + machine_list(run.record.starts.back());
  html += checkpoints_table(run.record);
  return html.empty() ? html : "<section>\n" + html + "</section>\n";
}

}  // namespace nystrom
