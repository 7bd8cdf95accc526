#pragma once
// Terminal view of a run: state, progress, losses, ranks.

#include <string>
#include <vector>

#include "launch/report/report.h"

namespace nystrom {

/// "▂▃▅█": means of `columns` equal parts of the steps, from the least to the most. Empty for an empty
/// series.
[[nodiscard]] std::string sparkline(const Series& series, std::size_t columns);

/// Lines of at most `columns` characters (ranks may be longer), each with a line break.
///
///   runs/a   running
///   step     1,200 of 3,000 (40 %)   4:05 left   9,098 tokens/s
///   loss     5.1234  ▇▅▃▂▂▁
///   best     loss 5.0123 at step 1,000
[[nodiscard]] std::string terminal_view(const ReportedRun& run, const std::string& ranks,
                                        std::size_t columns);

/// A line for each run of a directory.
[[nodiscard]] std::string terminal_list(const std::vector<ReportedRun>& runs);

}  // namespace nystrom
