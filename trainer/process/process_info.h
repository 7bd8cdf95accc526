#pragma once
// Globally unique process identity: host, boot, process id and start time.

#include <cstdint>
#include <string>

namespace nystrom {

struct ProcessInfo {
  std::string host;     ///< host name
  std::string machine;  ///< boot id and pid namespace: where equal, process ids are comparable
  std::int64_t process = 0;
  std::int64_t started = 0;  ///< clock ticks after boot: distinguishes a reused process id
};

/// Of the calling process.
[[nodiscard]] ProcessInfo this_process();
/// Is the process alive? Only for one with the `machine` of this_process(). A zombie is not alive.
[[nodiscard]] bool is_alive(const ProcessInfo& process);
/// Seconds since this process started.
[[nodiscard]] double process_seconds();

}  // namespace nystrom
