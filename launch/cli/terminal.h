#pragma once
// Does somebody watch?

namespace nystrom {

struct Terminal {
  bool present = false;
  int columns = 80;
};

/// The terminal that this process's stderr ends up on. A launcher stands between: what counts then is where
/// its own stderr goes.
Terminal error_terminal();

}  // namespace nystrom
