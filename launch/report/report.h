#pragma once
// The page of a run, or of several that are compared: one HTML document without scripts that needs no
// network.

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "launch/report/history.h"
#include "launch/report/run_record.h"

namespace nystrom {

struct ReportedRun {
  RunRecord record;
  History history;
  std::int64_t damaged_lines = 0;
  std::string label = {};  ///< distinguishes it from the other runs of the page
};

/// More runs cannot be distinguished on one page.
inline constexpr std::size_t kMaxReportedRuns = 28;

/// Reads a run directory now.
[[nodiscard]] ReportedRun read_reported_run(const std::string& directory);

/// Gives each run a label: the last part of its directory, or all of it where two are the same.
void label_runs(std::span<ReportedRun> runs);

/// The content of <main>; all that comes from files is escaped.
[[nodiscard]] std::string report_body(std::span<const ReportedRun> runs);
[[nodiscard]] std::string report_title(std::span<const ReportedRun> runs);

/// The curve of a number of the metrics, "loss", as an SVG file. Refuses (InputError) a name that no run has.
[[nodiscard]] std::string curve_svg(std::span<const ReportedRun> runs, const std::string& name);

/// The document. It forbids itself scripts and all else that it does not hold.
[[nodiscard]] std::string report_page(const std::string& title, const std::string& body);
/// Its style sheet.
[[nodiscard]] std::string report_style();

}  // namespace nystrom
