#include "launch/cli/stage_progress.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <system_error>

#include "launch/cli/console.h"
#include "launch/cli/quiet.h"
#include "launch/cli/terminal.h"
#include "trainer/metrics/progress.h"

namespace nystrom {
namespace {

using Clock = std::chrono::steady_clock;
using Milliseconds = std::chrono::milliseconds;

constexpr Milliseconds kSilent{2000}, kRedraw{200}, kLines{10'000};

}  // namespace

std::string stage_text(const StageState& state) {
  std::string text = state.stage + ":";
  const auto add = [&text](const std::string& part) { text += (text.ends_with(':') ? " " : ", ") + part; };
  const double share = std::min(state.share, 1.0), gained = share - state.resumed;
  if (share >= 0) add(fmt::format("{:.0f} %", std::floor(100 * share)));
  if (!state.counted.empty()) add(state.counted);
  if (share < 0) add(duration_text(state.seconds));
  if (gained > 0 && share < 1) add(duration_text(state.seconds * (1 - share) / gained) + " left");
  return text;
}

void StageProgress::begin(const Stage& stage) {
  if (is_quiet()) return;
  ended_ = false;
  try {
    thread_ = std::thread([this, &stage] { follow(stage); });
  } catch (const std::system_error&) {  // no thread is to be had: the work goes on unseen
  }
}

void StageProgress::end() {
  if (!thread_.joinable()) return;
  {
    const std::scoped_lock held(mutex_);
    ended_ = true;
  }
  ends_.notify_one();
  thread_.join();
  clear_line();
}

void StageProgress::follow(const Stage& stage) {
  const Clock::time_point begin = Clock::now();
  const double resumed = std::max(stage.share(), 0.0);
  const Terminal terminal = error_terminal();
  std::unique_lock held(mutex_);
  Milliseconds wait = kSilent;
  while (!ends_.wait_for(held, wait, [this] { return ended_; })) {
    wait = terminal.present ? kRedraw : kLines;
    const std::string text =
        stage_text({.stage = stage.name(),
                    .share = stage.share(),
                    .counted = stage.counted(),
                    .seconds = std::chrono::duration<double>(Clock::now() - begin).count(),
                    .resumed = resumed});
    if (terminal.present)
      draw_line(text, terminal.columns);
    else
      print_error(fmt::format("nystrom: {}\n", text));
  }
}

}  // namespace nystrom
