#pragma once
// The built program, run by a shell in a temporary folder, as a user runs it. Test programs that use this are
// added with RUNS_PROGRAM (cmake/Library.cmake).

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
