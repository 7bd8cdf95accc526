#pragma once
// Rank and number of ranks from the launcher's environment, for use before MPI is initialized or without MPI.

namespace nystrom {

/// This process's rank; 0 without a launcher.
int launched_rank();
/// Number of processes that the launcher started; 1 without a launcher.
int launched_ranks();
/// This process's number among those on this machine, and how many they are; 0 and 1 without a launcher.
int launched_local_rank();
int launched_local_ranks();

/// Tasks that srun started without telling MPI of each other (`--mpi=none`); 1 for any other process.
int tasks_without_mpi();

/// With NYSTROM_BIND=share in the environment, which launch/mpirun.sh sets: binds this process to its share
/// of the machine's cores (share_of in kernels/core/processors.h). Where there are fewer CPUs than ranks it
/// is not bound, and MPI is set to yield while it waits. Before any other thread exists, and before MPI's
/// initialization.
void take_share_of_machine();

}  // namespace nystrom
