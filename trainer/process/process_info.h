#pragma once
// Globally unique process identity: host, boot, process id and start time.

#include <cstdint>
#include <string>

namespace nystrom {

struct ProcessInfo {
  std::string host;     ///< host name
  std::string machine;  ///< boot id and pid namespace; empty where the system does not show them
  std::int64_t process = 0;
  std::int64_t started = 0;  ///< clock ticks after boot: distinguishes a reused process id
};

/// Of the calling process.
[[nodiscard]] ProcessInfo this_process();
/// Do both number their processes alike, so that one can look for the other's?
[[nodiscard]] bool same_machine(const ProcessInfo& a, const ProcessInfo& b);

enum class Life {
  kAlive,
  kDead,   ///< no process has its id, another one has, or it is a zombie
  kHidden  ///< some process has its id, but the system does not show which (/proc with hidepid)
};
/// Of a process of the same machine.
[[nodiscard]] Life life_of(const ProcessInfo& process);
/// Seconds since this process started.
[[nodiscard]] double process_seconds();

}  // namespace nystrom
