#include "launch/cli/run_progress.h"

#include <cstdio>

#include "launch/cli/terminal.h"
#include "trainer/metrics/progress.h"

namespace nystrom {
namespace {

void print_raw(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fflush(stderr);
}

}  // namespace

std::unique_ptr<Observer> make_progress(const Log& log) {
  const Terminal terminal = error_terminal();
  if (terminal.present) return std::make_unique<ProgressBar>(print_raw, terminal.columns);
  constexpr double kSecondsBetweenLines = 5;
  return std::make_unique<ProgressLines>(
      [&log](ProgressLines::Level level, const std::string& line) {
        if (level == ProgressLines::Level::kWarning)
          log.warning(line);
        else
          log.note(line);
      },
      kSecondsBetweenLines);
}

}  // namespace nystrom
