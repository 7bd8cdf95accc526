#pragma once
// Comm over MPI. Waiting ranks do not spin, so that ranks may share cores. A progress thread completes
// collectives while the rank computes.

#include <memory>

#include "trainer/comm/comm.h"

namespace nystrom {

/// Initializes MPI; the last to go finalizes it. Throws Error if MPI does not offer what is needed.
[[nodiscard]] std::unique_ptr<Comm> make_mpi_comm(const CommOptions& options);

}  // namespace nystrom
