#pragma once
// How large a device's memory is.

#include <cstddef>

#include "kernels/tensor/buffer.h"

namespace nystrom {

/// All bytes of the device's memory, taken or not; 0 for the host's.
[[nodiscard]] std::size_t total_bytes(const Memory& memory);

}  // namespace nystrom
