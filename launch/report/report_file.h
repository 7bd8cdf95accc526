#pragma once
// report.html of a run directory, written during the run.

#include <functional>
#include <memory>
#include <string>

#include "trainer/metrics/observer.h"

namespace nystrom {

/// Writes `directory`/report.html atomically: of a run, or of a grid. Throws Error.
void write_report(const std::string& directory);

/// Writes it at the start, after each validation and at the end. A report that cannot be written never stops
/// a run: `warn` is called with a sentence, once. Reports take at most one part in kShareOfTime of the time:
/// where validations follow each other faster, some are left to the next one.
class ReportFile final : public Observer {
 public:
  using Warn = std::function<void(const std::string&)>;
  static constexpr int kShareOfTime = 50;

  ReportFile(std::string directory, Warn warn);
  ~ReportFile() override;

  void started(const RunInfo&) override { write_if_due(); }
  void validated(const ValidationReport&) override { write_if_due(); }
  void finished(StopReason why) override;

  /// The same at once, with all that the directory holds by now.
  void write();

 private:
  struct Followed;

  void write_if_due();

  std::string directory_;
  Warn warn_;
  std::unique_ptr<Followed> followed_;
  bool warned_ = false;
};

}  // namespace nystrom
