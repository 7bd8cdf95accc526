#include "launch/cli/terminal.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>

#include "trainer/comm/comm.h"

namespace nystrom {
namespace {

Terminal terminal_of(int descriptor) {
  Terminal terminal{.present = ::isatty(descriptor) == 1};
  winsize size{};
  if (terminal.present && ::ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 20)
    terminal.columns = size.ws_col;
  return terminal;
}

}  // namespace

Terminal error_terminal() {
  const char* kind = std::getenv("TERM");
  if (kind != nullptr && std::string_view(kind) == "dumb") return {};
  if (!under_launcher()) return terminal_of(STDERR_FILENO);
  const int theirs =
      ::open(fmt::format("/proc/{}/fd/2", ::getppid()).c_str(), O_WRONLY | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
  if (theirs < 0) return {};
  const Terminal terminal = terminal_of(theirs);
  ::close(theirs);
  return terminal;
}

std::size_t help_columns() {
  constexpr int kMinColumns = 40, kMaxColumns = 100;
  const char* given = std::getenv("COLUMNS");
  const int named = given != nullptr ? std::atoi(given) : 0;
  return static_cast<std::size_t>(
      std::clamp(named > 0 ? named : terminal_of(STDOUT_FILENO).columns, kMinColumns, kMaxColumns));
}

}  // namespace nystrom
