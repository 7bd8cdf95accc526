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
  /// lines of later steps, a half line, and what is no JSON object with a step. Throws Error, with the
  /// reason.
  MetricsFile(std::string path, std::int64_t step);

  void step(const StepReport& report) override { write(metrics_line(report)); }
  void validated(const ValidationReport& report) override { write(metrics_line(report)); }
  void saving(std::int64_t step) override;  ///< flushes to the disk

 private:
  struct Close {
    void operator()(std::FILE* file) const noexcept { std::fclose(file); }
  };
  void write(const std::string& line);

  std::string path_;
  std::unique_ptr<std::FILE, Close> file_;
};

}  // namespace nystrom
