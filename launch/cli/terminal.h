#pragma once
// Terminal behind stderr: is there one, and how wide is it?

namespace nystrom {

struct Terminal {
  bool present = false;
  int columns = 80;
};

/// The terminal that this process's stderr ends up on. Under mpirun, which forwards it, that is the
/// launcher's stderr.
Terminal error_terminal();

}  // namespace nystrom
