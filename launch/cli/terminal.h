#pragma once
// Terminal behind stderr: is there one, and how wide is it?

#include <cstddef>

namespace nystrom {

struct Terminal {
  bool present = false;
  int columns = 80;
};

/// The terminal that this process's stderr ends up on. Under mpirun, which forwards it, that is the
/// launcher's stderr.
Terminal error_terminal();

/// Columns for text on standard output: the environment's COLUMNS, else the terminal's, but at most 100; 80
/// where there is neither.
std::size_t help_columns();

}  // namespace nystrom
