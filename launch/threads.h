#pragma once

namespace nystrom {

/// Threads for a rank whose configuration leaves them open: the cores that it is bound to; where it is bound
/// to none in particular, its share of the machine's among the `local_ranks` on it. At least 1.
int default_threads(int local_ranks);

/// Cores of this machine that are online.
int machine_cores();

}  // namespace nystrom
