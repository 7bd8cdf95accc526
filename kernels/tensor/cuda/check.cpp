#include "kernels/tensor/cuda/check.h"

#include <cstdlib>
#include <string>

namespace nystrom::cuda {

bool synchronous_launches() {
  static const bool wanted = std::getenv("NYSTROM_CUDA_SYNCHRONOUS") != nullptr;
  return wanted;
}

void failed(cudaError_t error, std::string_view what) {
  const std::string words = cudaGetErrorString(error);
  (void)cudaGetLastError();
  const bool by_a_kernel = error == cudaErrorLaunchFailure || error == cudaErrorIllegalAddress;
  const char* hint = by_a_kernel && !synchronous_launches()
                         ? " Run again with NYSTROM_CUDA_SYNCHRONOUS=1 to learn at which op."
                         : "";
  throw DeviceError(
      fmt::format("The GPU failed at {}: {} ({}).{}", what, words, cudaGetErrorName(error), hint));
}

}  // namespace nystrom::cuda
