#pragma once
// Number of compute threads per rank.

#include "trainer/comm/comm.h"

namespace nystrom {

/// OMP_NUM_THREADS if it is set; else the cores that this rank may use, shared evenly with the ranks of this
/// machine that may use the same ones. At least 1. Collective.
[[nodiscard]] int threads_of_rank(Comm& comm);

/// `run.threads` if it is given (above 0), else the number above. Collective.
[[nodiscard]] int threads_of_rank(Comm& comm, std::int64_t given);

}  // namespace nystrom
