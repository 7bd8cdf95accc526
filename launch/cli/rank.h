#pragma once
// Who am I among the processes of this job, before (or without) MPI: from the launcher's environment.

namespace nystrom {

/// This process's rank; 0 without a launcher.
int launched_rank();
/// How many processes the launcher started; 1 without one.
int launched_ranks();
/// How many of them run on this machine; 1 without a launcher.
int launched_local_ranks();

}  // namespace nystrom
