#pragma once
// `--quiet`: stderr has warnings and failures alone. log.txt, results and exit statuses are the same.

namespace nystrom {

[[nodiscard]] bool is_quiet();
/// Of the whole program; before its command runs.
void set_quiet();

}  // namespace nystrom
