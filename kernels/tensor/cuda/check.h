#pragma once
// Every CUDA call is checked: cuda::check(cudaMalloc(&p, bytes), "allocating 3 MiB").

#include <cuda_runtime.h>

#include <string_view>

#include "kernels/core/check.h"

namespace nystrom::cuda {

using nystrom::DeviceError;

[[noreturn]] void failed(cudaError_t error, std::string_view what);

/// Whether NYSTROM_CUDA_SYNCHRONOUS is set: the host waits after each kernel, so that an error names the op
/// it is of.
[[nodiscard]] bool synchronous_launches();

/// Throws DeviceError with `what` (what was being done, or the op's name) and CUDA's words.
inline void check(cudaError_t error, std::string_view what) {
  if (error != cudaSuccess) [[unlikely]]
    failed(error, what);
}

}  // namespace nystrom::cuda
