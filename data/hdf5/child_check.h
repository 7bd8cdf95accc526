#pragma once
// Untrusted files are validated in a child process. The HDF5 library can crash, ask for all memory or loop
// forever on a file that is corrupt or malicious; that then costs a child process, and becomes an error
// message here.
//
//   check_in_child({"a.h5", "b.h5"}, {}, [](const std::string& path) { (void)summarize_shard(path); });
//
// The child is forked: call this before MPI and before threads that hold locks.

#include <cstdint>
#include <functional>
#include <span>
#include <string>

namespace nystrom {

struct ChildLimits {
  std::uint64_t memory_bytes = std::uint64_t{4} << 30U;  ///< beyond what this process has
  /// Of CPU time for a file, and one more for every 16 MiB of it; by the clock ten times as many.
  double seconds = 60;
};

/// Calls `check` for one file after the other, in a child process. Throws InputError where check did, with
/// its sentence, and where the child crashed, was stopped by a limit or went beyond its time, naming the
/// file. Throws Error where a disk that hangs kept the child waiting.
void check_in_child(std::span<const std::string> files, const ChildLimits& limits,
                    const std::function<void(const std::string& file)>& check);

}  // namespace nystrom
