#pragma once
// The built program, run as a user runs it: by a shell, in a folder of the test's own. For programs that are
// made by nystrom_add_program_test, which defines NYSTROM_PROGRAM.

#include <sys/wait.h>

#include <cstdlib>
#include <string>

#include "file_bytes.h"
#include "temporary_folder.h"

namespace nystrom::testing {

struct Outcome {
  int status = -1;
  std::string out, err;
};

/// Runs a shell command in `folder`, where $nystrom is the program.
inline Outcome run_in(const TemporaryFolder& folder, const std::string& command) {
  const std::string line = "cd '" + folder.path() + "' && nystrom='" NYSTROM_PROGRAM "' && { " + command +
                           " ; } >out.txt 2>err.txt </dev/null";
  const int result = std::system(line.c_str());
  return {WIFEXITED(result) ? WEXITSTATUS(result) : 128 + WTERMSIG(result), read_bytes(folder / "out.txt"),
          read_bytes(folder / "err.txt")};
}

}  // namespace nystrom::testing
