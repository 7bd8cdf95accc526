#include "launch/cli/run_progress.h"

#include "launch/cli/colour.h"
#include "launch/cli/console.h"
#include "launch/cli/quiet.h"
#include "launch/cli/terminal.h"
#include "trainer/metrics/progress.h"

namespace nystrom {
namespace {

void print_raw(std::string_view text) {
  print_error(std::string(text));
}

std::unique_ptr<Observer> console_progress(const Log& log) {
  const Terminal terminal = error_terminal();
  if (terminal.present && !is_quiet())
    return std::make_unique<ProgressBar>(print_raw, terminal.columns, coloured(Colour::kYellow, "warning:"));
  constexpr double kSecondsBetweenLines = 5;
  return std::make_unique<ProgressLines>(
      [&log](ProgressLines::Level level, const std::string& line) {
        if (level == ProgressLines::Level::kWarning)
          log.print_warning(line);
        else
          log.print_note(line);
      },
      kSecondsBetweenLines);
}

std::unique_ptr<Observer> file_progress(LogFile& file) {
  constexpr double kSecondsBetweenLines = 60;  // metrics.jsonl has every step
  return std::make_unique<ProgressLines>(
      [&file](ProgressLines::Level level, const std::string& line) {
        file.add(level == ProgressLines::Level::kWarning ? "warning: " + line : line);
      },
      kSecondsBetweenLines);
}

}  // namespace

std::unique_ptr<Observer> make_progress(const Log& log) {
  auto all = std::make_unique<Observers>();
  all->add(console_progress(log));
  if (log.file() != nullptr) all->add(file_progress(*log.file()));
  return all;
}

}  // namespace nystrom
