#pragma once
// What tells one process of the world from all others.

#include <cstdint>
#include <string>

namespace nystrom {

struct ProcessInfo {
  std::string host;     ///< the machine's name
  std::string machine;  ///< its boot and the process's name space: two equal ones share process numbers
  std::int64_t process = 0;
  std::int64_t started = 0;  ///< clock ticks after the boot: a number that is used again has another start
};

/// Of the process that runs.
[[nodiscard]] ProcessInfo this_process();
/// Does that process live? Only for one with this machine's `machine`. A zombie does not live.
[[nodiscard]] bool is_alive(const ProcessInfo& process);
/// Seconds since this process was started.
[[nodiscard]] double process_seconds();

}  // namespace nystrom
