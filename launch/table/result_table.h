#pragma once
// Table of finished runs: tasks by attention kinds, next to chance and published scores.

#include <optional>
#include <string>
#include <vector>

#include "launch/table/run_result.h"

namespace nystrom {

/// Runs that differ only in the seed.
struct TableEntry {
  std::string task, variant;  ///< variant: the attention, and the keys in which others of the task differ
  std::vector<RunResult> runs;
  double median = 0, least = 0, most = 0;  ///< of the scores
  std::optional<double> standard_error;    ///< of the median, by the number of examples
  std::optional<double> trivial;           ///< accuracy of the better of a fair and a constant guess

  [[nodiscard]] bool is_accuracy() const { return runs.front().metric == "accuracy"; }
  /// Above the trivial accuracy by more than two standard errors? True where that is not known.
  [[nodiscard]] bool learned() const;
};

/// In the order of the benchmark's tasks, others behind them by name; within a task by variant.
[[nodiscard]] std::vector<TableEntry> table_entries(const std::vector<RunResult>& runs);

/// A table with its title and the notes below it.
struct TableSection {
  std::string title;
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;
  std::vector<std::string> remarks;
};

/// Scores by variant and task; what each took; what others published of these tasks.
[[nodiscard]] std::vector<TableSection> table_sections(const std::vector<TableEntry>& entries);

[[nodiscard]] std::string table_markdown(const std::vector<TableSection>& sections);
[[nodiscard]] std::string table_html(const std::vector<TableSection>& sections);
/// One line a number: those of runs, of guesses and published ones.
[[nodiscard]] std::string table_csv(const std::vector<TableEntry>& entries);

}  // namespace nystrom
