#include "kernels/tensor/cuda/context.h"

namespace nystrom {
namespace {

cuda::DeviceProperties properties_of(int index) {
  cuda::check(cudaSetDevice(index), "choosing a GPU");
  cudaDeviceProp all{};
  cuda::check(cudaGetDeviceProperties(&all, index), "asking for the GPU's properties");
  cuda::DeviceProperties p{.name = all.name,
                           .capability = 10 * all.major + all.minor,
                           .multiprocessors = all.multiProcessorCount,
                           .memory_bytes = all.totalGlobalMem};
  constexpr int kOldestCapability = CudaContext::kOldestCapability;
  if (p.capability < kOldestCapability)
    fail(
        "The GPU {} ({}) has compute capability {}.{}; at least {}.{} is needed. Set `training.backend` to "
        "cpu.",
        index, p.name, p.capability / 10, p.capability % 10, kOldestCapability / 10, kOldestCapability % 10);
  return p;
}

}  // namespace

CudaContext::CudaContext(int index, bool time_products)
    : index_(index),
      properties_(properties_of(index)),
      workspace_(kWorkspaceBytes, memory_, Contents::kUndefined),
      blas_(properties_.name, time_products),
      wgmma_(cuda::wgmma_state(stream_, properties_.capability, workspace_.data())) {}

void* CudaContext::workspace(std::size_t bytes) const {
  NYSTROM_CHECK(bytes <= workspace_.bytes(), "an op wants {} bytes of workspace, there are {}", bytes,
                workspace_.bytes());
  return workspace_.data();
}

}  // namespace nystrom
