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

/// Which program, command and machine this process is, as a JSON object: date, version with commit, command,
/// working_directory, host, cpu, ranks, libraries. For `provenance` of a checkpoint: at most some kilobytes.
[[nodiscard]] std::string provenance_text(int ranks);

/// "nystrom 0.1.0 (96b7927) on HOST, 2 ranks: nystrom pretrain my.yaml (2026-11-30 12:00:00)", of such an
/// object; "" of any other text.
[[nodiscard]] std::string provenance_sentence(const std::string& provenance);

/// When a run starts, adds an object to the array in `directory`/run.json (date, version with commit, command
/// line, host, CPU, ranks, threads, precision, libraries, the checkpoint to resume) and a line to `log`. A
/// file that cannot be written is a warning. `log` must outlive it.
[[nodiscard]] std::unique_ptr<Observer> record_provenance(std::string directory, const Log& log);

}  // namespace nystrom
