#pragma once
// Number of threads that this process may use.

namespace nystrom {

/// OMP_NUM_THREADS where it is set (its first number), else the cores of this process's affinity mask; at
/// least 1.
int available_threads();

}  // namespace nystrom
