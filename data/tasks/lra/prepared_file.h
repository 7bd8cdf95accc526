#pragma once
// A task of the Long Range Arena in one HDF5 file, from which examples are read as they are needed
// (docs/lra.md).

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "data/tasks/lra/source.h"

namespace nystrom::lra {

/// `path`, or NAME.h5 in that folder, if it is such a file; else empty. Refuses another HDF5 file.
[[nodiscard]] std::string find_prepared(const Kind& kind, const std::string& path);

/// Reads all of what find_prepared() finds, which may be an untrusted file, in a child process
/// (check_foreign_hdf5 does so with files of other forms): refuses (InputError) one that is corrupt,
/// contradicts itself, holds symbols that the task does not have, or makes the HDF5 library crash. To be
/// called before MPI and before threads.
void check_prepared(const Kind& kind, const std::string& path);

/// Refuses a file of another task or version, and one that contradicts itself: so every picture has the
/// pixels that the file claims, and no position is beyond them.
[[nodiscard]] std::unique_ptr<Source> open_prepared(const Kind& kind, const std::string& path);

/// Reads the task's official files once, front to back, and writes `path`, which appears when it is complete.
/// Sequences are truncated to `longest` symbols. Memory grows only with the number of examples (some ten
/// bytes each). Returns sentences for the log.
std::vector<std::string> write_prepared(const TaskConfig& config, std::int64_t longest,
                                        const std::string& path);

}  // namespace nystrom::lra
