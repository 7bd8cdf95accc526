#pragma once
// Whether products by wgmma (wgmma.h) are used.

#include "kernels/tensor/cuda/memory.h"
#include "kernels/tensor/cuda/stream.h"

namespace nystrom::cuda {

enum class WgmmaState {
  kUsed,
  kOtherGpu,     ///< not of compute capability 9.0
  kNotCompiled,  ///< the program has no machine code for sm_90a
  kSwitchedOff,  ///< NYSTROM_WGMMA=off
  kWrong         ///< products of small integers came out wrong
};

/// Of the current device. Where nothing else is against it, a kernel multiplies small integers in each way in
/// which factors can lie, of which the result is known: no GPU has run these instructions for this project
/// yet, and what they compute decides. `scratch`: 4 bytes of device memory. Waits for the stream. Throws
/// DeviceError where the kernel ends with an error.
[[nodiscard]] WgmmaState wgmma_state(const Stream& stream, int capability, void* scratch);

}  // namespace nystrom::cuda
