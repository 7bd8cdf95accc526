#pragma once
// Rank and number of ranks from the launcher's environment, for use before MPI is initialized or without MPI.

namespace nystrom {

/// This process's rank; 0 without a launcher.
int launched_rank();
/// Number of processes that the launcher started; 1 without a launcher.
int launched_ranks();
/// Number of those on this machine; 1 without a launcher.
int launched_local_ranks();

}  // namespace nystrom
