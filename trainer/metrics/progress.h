#pragma once
// Console progress: a bar on a terminal, log lines elsewhere. Text is printed through a function of the
// caller.

#include <functional>
#include <string>
#include <string_view>

#include "trainer/metrics/observer.h"

namespace nystrom {

/// "1:02:03", "4:05", "0:07"
[[nodiscard]] std::string duration_text(double seconds);

/// One line about a report, for a log: "step 12/100  loss 5.1234  mlm 4.4  sop 0.69  lr 1e-4  norm 1.2  3412
/// tokens/s  4:05 left".
[[nodiscard]] std::string describe(const RunInfo& info);
[[nodiscard]] std::string describe(const StepReport& report);
[[nodiscard]] std::string describe(const ValidationReport& report);
[[nodiscard]] std::string describe(const SavedReport& report);

/// A line that is drawn over itself. `print` gets text with carriage returns and must not buffer it.
class ProgressBar final : public Observer {
 public:
  /// `warning`: what a warning begins with, perhaps in a colour.
  explicit ProgressBar(std::function<void(std::string_view)> print, int columns = 100,
                       std::string warning = "warning:");

  void started(const RunInfo& info) override;
  void step(const StepReport& report) override;
  void validated(const ValidationReport& report) override;
  void saved(const SavedReport& report) override;
  void warning(const std::string& sentence) override;
  void note(const std::string& sentence) override;
  void finished(StopReason reason) override;

 private:
  void draw(const std::string& line);
  void line_above(const std::string& text);

  std::function<void(std::string_view)> print_;
  int columns_;
  std::string warning_, last_;
};

/// The text of the bar for a report, `columns` wide at most.
[[nodiscard]] std::string progress_line(const StepReport& report, int columns);

/// Plain lines, at most one about steps every `seconds`.
class ProgressLines final : public Observer {
 public:
  enum class Level { kInfo, kWarning };
  using Print = std::function<void(Level, const std::string&)>;
  explicit ProgressLines(Print print, double seconds = 0);

  void started(const RunInfo& info) override;
  void step(const StepReport& report) override;
  void validated(const ValidationReport& report) override;
  void saved(const SavedReport& report) override;
  void warning(const std::string& sentence) override;
  void note(const std::string& sentence) override;

 private:
  Print print_;
  double seconds_;
  double last_ = -1e300;
};

}  // namespace nystrom
