#pragma once
// Sections of a report as HTML, empty without data.

#include <span>
#include <string>

#include "launch/report/report.h"

namespace nystrom {

/// State, progress, best validation, speed: tiles of one run, a row of each of several.
[[nodiscard]] std::string summary_section(std::span<const ReportedRun> runs);
/// Corpora by their share of the sequences, with epochs so far.
[[nodiscard]] std::string corpora_section(const ReportedRun& run);
/// A chart of each number of the metrics, training and validation together.
[[nodiscard]] std::string curves_section(std::span<const ReportedRun> runs);
/// Pseudo-inverse residuals by layer and step.
[[nodiscard]] std::string residuals_section(const ReportedRun& run);
/// Scores of fine-tuning by evaluation and split, classes, confusions, predicted numbers.
[[nodiscard]] std::string task_section(const ReportedRun& run);
/// Keys that are not at their defaults, those first in which the runs differ; of one run config.yaml too.
[[nodiscard]] std::string configuration_section(std::span<const ReportedRun> runs);
/// Starts with command, machine and versions; checkpoints.
[[nodiscard]] std::string starts_section(const ReportedRun& run);

}  // namespace nystrom
