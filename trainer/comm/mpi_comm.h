#pragma once
// Comm over MPI. Nothing spins: a waiting rank leaves its core to others, so that ranks may share cores. A
// thread carries collectives on while the rank computes.

#include <memory>

#include "trainer/comm/comm.h"

namespace nystrom {

/// Initializes MPI; the last to go finalizes it. Throws Error if MPI does not offer what is needed.
[[nodiscard]] std::unique_ptr<Comm> make_mpi_comm(const CommOptions& options);

}  // namespace nystrom
