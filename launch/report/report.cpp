#include "launch/report/report.h"

#include <fmt/format.h>

#include <map>

#include "kernels/core/html.h"
#include "launch/report/sections.h"
#include "trainer/run/run_directory.h"

namespace nystrom {

ReportedRun read_reported_run(const std::string& directory) {
  MetricsFollower metrics(metrics_path(directory));
  metrics.look();
  return {
      .record = read_run_record(directory), .history = metrics.history(), .damaged_lines = metrics.damaged()};
}

void label_runs(std::span<ReportedRun> runs) {
  std::map<std::string, int> named;
  for (const ReportedRun& run : runs) ++named[run.record.name];
  for (ReportedRun& run : runs)
    run.label = named[run.record.name] > 1 ? run.record.directory : run.record.name;
}

std::string report_title(std::span<const ReportedRun> runs) {
  return runs.size() == 1 ? runs.front().record.name : fmt::format("{} runs compared", runs.size());
}

std::string report_body(std::span<const ReportedRun> runs) {
  std::string html = fmt::format("<h1>{}</h1>\n", html_escaped(report_title(runs)));
  if (runs.size() == 1)
    html += fmt::format("<p class=\"place\">{}</p>\n", html_escaped(runs.front().record.directory));
  html += summary_section(runs);
  if (runs.size() == 1) html += task_section(runs.front());
  if (runs.size() == 1) html += corpora_section(runs.front());
  html += curves_section(runs);
  if (runs.size() == 1) html += residuals_section(runs.front());
  html += configuration_section(runs);
  if (runs.size() == 1) html += starts_section(runs.front());
  return html;
}

}  // namespace nystrom
