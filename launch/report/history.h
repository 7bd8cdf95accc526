#pragma once
// Metrics of a run so far: metrics.jsonl, followed as it grows, in bounded memory.

#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "launch/report/metrics_line.h"
#include "launch/report/series.h"

namespace nystrom {

class History {
 public:
  /// More names than this are not followed: a run has some dozens.
  static constexpr std::size_t kMaxSeries = 256;

  /// Takes up what one line says.
  void add(const MetricsLine& line);

  /// The series of that name, empty where there is none: "loss", "validation_mlm_loss".
  [[nodiscard]] const Series& of(std::string_view name) const;
  [[nodiscard]] bool has(std::string_view name) const { return !of(name).empty(); }
  /// Names of the series, in the order of the alphabet.
  [[nodiscard]] std::vector<std::string> names() const;
  /// Epochs by corpus.
  [[nodiscard]] const std::map<std::string, Series, std::less<>>& epochs() const { return epochs_; }
  /// Mean and largest pseudo-inverse residuals by layer.
  [[nodiscard]] const std::vector<Series>& residuals() const { return residuals_; }
  [[nodiscard]] const std::vector<Series>& largest_residuals() const { return largest_residuals_; }

  [[nodiscard]] std::int64_t last_step() const { return last_step_; }
  [[nodiscard]] std::int64_t skipped() const { return skipped_; }  ///< steps that left the weights alone
  [[nodiscard]] std::int64_t lines() const { return lines_; }

 private:
  using Named = std::map<std::string, Series, std::less<>>;

  static void add_to(Named& all, std::string_view name, std::int64_t step, double value);
  static void add_layers(std::vector<Series>& layers, std::int64_t step, const std::vector<double>& values);

  Named series_, epochs_;
  std::vector<Series> residuals_, largest_residuals_;
  std::int64_t last_step_ = 0, skipped_ = 0, lines_ = 0;
};

/// Reads what has come to the file since the last read. A run that was rolled back or resumed cuts
/// the file: it is then read again. A line without its end waits until it has one.
class MetricsFollower {
 public:
  /// Of a file that is longer than `most` bytes only its end is read.
  explicit MetricsFollower(std::string path, std::int64_t most = kAll)
      : path_(std::move(path)), most_(most) {}
  static constexpr std::int64_t kAll = std::numeric_limits<std::int64_t>::max();

  /// True if something was read, or the file is another. A file that is absent is empty; what is not a
  /// regular file is not opened.
  bool look();
  [[nodiscard]] const History& history() const { return history_; }
  /// Lines that are not metrics of a run.
  [[nodiscard]] std::int64_t damaged() const { return damaged_; }

 private:
  bool read_new(int file, std::int64_t size);
  void skip(int file, std::int64_t bytes);
  [[nodiscard]] bool still_ends_there(int file) const;
  void take(std::string_view line);
  void restart();

  std::string path_;
  std::int64_t most_;
  History history_;
  MetricsLine line_;
  std::int64_t read_ = 0;  // bytes up to the end of the last whole line
  std::string last_line_;  // that precedes them, or its end
  std::int64_t damaged_ = 0;
};

}  // namespace nystrom
