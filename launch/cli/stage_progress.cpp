#include "launch/cli/stage_progress.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "launch/cli/failure.h"
#include "launch/cli/quiet.h"
#include "trainer/metrics/progress.h"

namespace nystrom {

std::string stage_text(const std::string& stage, double share, const std::string& done, double seconds) {
  std::string text = stage + ": ";
  if (share >= 0) text += fmt::format("{:.0f} %, ", std::floor(100 * std::min(share, 1.0)));
  text += done;
  if (share > 0 && share < 1) text += fmt::format(", {} left", duration_text(seconds * (1 - share) / share));
  return text;
}

StageProgress::StageProgress(std::string stage) : stage_(std::move(stage)), terminal_(error_terminal()) {}

void StageProgress::show(double share, const std::string& done) {
  constexpr double kSilent = 2, kRedraw = 0.2, kLines = 10;
  const Clock::time_point now = Clock::now();
  const double seconds = std::chrono::duration<double>(now - begin_).count();
  const double since = std::chrono::duration<double>(now - last_).count();
  if (is_quiet() || seconds < kSilent || since < (terminal_.present ? kRedraw : kLines)) return;
  last_ = now;
  const std::string text = stage_text(stage_, share, done, seconds);
  if (!terminal_.present) return print_error(fmt::format("nystrom: {}\n", text));
  const int width = terminal_.columns - 1;
  print_error(fmt::format("\r{:<{}}", text.substr(0, static_cast<std::size_t>(width)), width));
  drawn_ = true;
}

void StageProgress::clear() {
  if (std::exchange(drawn_, false)) print_error(fmt::format("\r{:<{}}\r", "", terminal_.columns - 1));
}

}  // namespace nystrom
