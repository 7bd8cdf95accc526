#pragma once
// Number of threads that this process may use.

namespace nystrom {

/// OMP_NUM_THREADS where it is set (its first number), else the CPUs of this process's affinity mask, as far
/// as the quota of its control groups goes (kernels/core/processors.h); at least 1.
int available_threads();

}  // namespace nystrom
