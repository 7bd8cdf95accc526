#pragma once
// metrics.jsonl: one JSON object per line (docs/training.md). Numbers are written with the digits needed to
// read them back exactly; non-finite numbers are null.

#include <optional>
#include <string>

#include "trainer/metrics/append_file.h"
#include "trainer/metrics/observer.h"

namespace nystrom {

/// The lines of the file, without line break.
[[nodiscard]] std::string metrics_line(const StepReport& report);
[[nodiscard]] std::string metrics_line(const ValidationReport& report);

class MetricsFile final : public Observer {
 public:
  /// Opens (or creates) the file and cuts off what is beyond `step`, the step that the run resumes from:
  /// lines of later steps, a half line, and what is not a JSON object with a step. The file is read from its
  /// end, so that this costs what is cut off, however long the run has been. Throws Error, with the reason.
  /// A disk that becomes full later is not a failure (AppendFile); `warn` is called.
  MetricsFile(const std::string& path, std::int64_t step, AppendFile::Warn warn = {});

  void step(const StepReport& report) override { file_->append(metrics_line(report) + "\n"); }
  void validated(const ValidationReport& report) override { file_->append(metrics_line(report) + "\n"); }
  void saving(std::int64_t) override { file_->sync(); }
  void rolled_back(std::int64_t step) override { open(step); }

 private:
  void open(std::int64_t step);

  std::string path_;
  AppendFile::Warn warn_;
  std::optional<AppendFile> file_;
};

}  // namespace nystrom
