#pragma once
// HDF5 files that other programs wrote: the input of `predict`, the cases of `verify`.

#include <string>

namespace nystrom {

/// Reads all of the file in a child process, as a reader here might, so that a file over which the HDF5
/// library crashes is refused (InputError, naming it). Call this before MPI and before threads, as
/// check_in_child.
void check_foreign_hdf5(const std::string& path);

/// The same in this process. Memory: 64 MiB at a time.
void read_foreign_hdf5(const std::string& path);

}  // namespace nystrom
