#pragma once
// metrics.jsonl: one JSON object a line (docs/training.md). Numbers are written so that they read back
// exactly; what is not finite is null.

#include <cstdio>
#include <memory>
#include <string>

#include "trainer/observer.h"

namespace nystrom {

/// The lines of the file, without line break.
[[nodiscard]] std::string metrics_line(const StepReport& report);
[[nodiscard]] std::string metrics_line(const ValidationReport& report);

class MetricsFile final : public Observer {
 public:
  /// Opens (or creates) the file and cuts off what lies beyond `step`, the step that the run goes on from:
  /// lines of later steps, a half line, and what is no JSON object with a step. The file is read from its
  /// end, so that this costs what is cut off, however long the run has been. Throws Error, with the reason.
  MetricsFile(std::string path, std::int64_t step);

  void step(const StepReport& report) override { write(metrics_line(report)); }
  void validated(const ValidationReport& report) override { write(metrics_line(report)); }
  void saving(std::int64_t step) override;  ///< flushes to the disk
  void rolled_back(std::int64_t step) override { open(step); }

 private:
  struct Close {
    void operator()(std::FILE* file) const noexcept { std::fclose(file); }
  };
  void open(std::int64_t step);
  void write(const std::string& line);

  std::string path_;
  std::unique_ptr<std::FILE, Close> file_;
};

}  // namespace nystrom
