#pragma once
// Provenance of a run: which program, command, machine and libraries made it.

#include <memory>
#include <string>

#include "launch/cli/log.h"
#include "trainer/metrics/observer.h"

namespace nystrom {

/// Versions of the libraries that this program runs with: "Open MPI v4.1.4", "HDF5 1.10.8", "oneDNN 2.7.2".
[[nodiscard]] std::string mpi_version();
[[nodiscard]] std::string hdf5_version();
[[nodiscard]] std::string onednn_version();

/// When a run starts, adds an object to the array in `directory`/run.json (date, version with commit, command
/// line, host, CPU, ranks, threads, precision, libraries, the checkpoint to resume) and a line to `log`. A
/// file that cannot be written is a warning. `log` must outlive it.
[[nodiscard]] std::unique_ptr<Observer> record_provenance(std::string directory, const Log& log);

}  // namespace nystrom
