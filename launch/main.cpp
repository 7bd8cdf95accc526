// Entry point: runs a command, prints a failure as one sentence, returns the exit status.

#include <cerrno>
#include <cstdio>
#include <exception>
#include <system_error>

#include "launch/cli/command.h"
#include "launch/cli/failure.h"
#include "trainer/comm/launcher.h"

int main(int argc, char** argv) {
  int status = nystrom::kFailed;
  try {
    nystrom::survive_failed_writes();
    nystrom::take_share_of_machine();
    status = nystrom::run_command_line({argv + 1, argv + argc});
    // Buffered output must arrive: a full disk behind a redirection is a failure too.
    if (std::fflush(stdout) != 0 && status == nystrom::kDone) {
      if (errno == EPIPE) throw std::system_error(errno, std::generic_category());
      nystrom::fail("Standard output cannot be written. Is the disk full?");
    }
  } catch (...) {
    status = nystrom::report_failure(std::current_exception());
  }
  return status;
}
