#pragma once
// Available memory of this process, for checks before anything is allocated.

#include <cstdint>
#include <string_view>

namespace nystrom {

/// Bytes that this process can have at most: the machine's memory and swap, less where a limit of the process
/// (ulimit -v) or of its control group is lower.
[[nodiscard]] std::uint64_t host_memory_bytes();

/// Refuses (InputError) what can never be allocated: "WHAT takes 12.3 GiB, but this process can have 8.0 GiB
/// in all. REMEDY". Linux grants memory that a machine does not have, and ends the process when it is used.
void require_host_memory(double bytes, std::string_view what, std::string_view remedy);

}  // namespace nystrom
