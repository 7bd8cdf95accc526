#include "kernels/tensor/device.h"
#include "kernels/tensor/memory_size.h"

#include <array>
#include <cstdint>
#include <cstdlib>

#ifdef NYSTROM_WITH_CUDA
#include "kernels/tensor/cuda/context.h"
#endif

namespace nystrom {

#ifdef NYSTROM_WITH_CUDA

namespace {

std::string version(int number) {
  return fmt::format("{}.{}", number / 1000, number % 1000 / 10);
}

std::string problem_of(cudaError_t error, const GpuSearch& search) {
  switch (error) {
    case cudaErrorNoDevice:
      return "this machine has no GPU of NVIDIA's";
    case cudaErrorInsufficientDriver:
      if (search.driver == 0) return "this machine has no driver of NVIDIA's";
      return fmt::format("the driver is made for CUDA {}, this program for {}; install a newer driver",
                         version(search.driver), version(search.runtime));
    default:
      return fmt::format("CUDA says: {} ({})", cudaGetErrorString(error), cudaGetErrorName(error));
  }
}

}  // namespace

GpuSearch find_gpus() {
  GpuSearch search{.built = true, .gpus = {}, .problem = {}};
  (void)cudaDriverGetVersion(&search.driver);
  (void)cudaRuntimeGetVersion(&search.runtime);
  int count = 0;
  if (const cudaError_t error = cudaGetDeviceCount(&count); error != cudaSuccess) {
    (void)cudaGetLastError();
    search.problem = problem_of(error, search);
    return search;
  }
  if (count == 0) search.problem = problem_of(cudaErrorNoDevice, search);
  for (int index = 0; index < count; ++index) {
    cudaDeviceProp all{};
    if (const cudaError_t error = cudaGetDeviceProperties(&all, index); error != cudaSuccess) {
      search.problem = problem_of(error, search);
      break;
    }
    GpuInfo info{all.name, 10 * all.major + all.minor, all.totalGlobalMem};
    if (info.capability < CudaContext::kOldestCapability) {
      search.problem = fmt::format("GPU {} ({}) has compute capability {}.{}, and at least {}.{} is needed",
                                   index, info.name, all.major, all.minor,
                                   CudaContext::kOldestCapability / 10, CudaContext::kOldestCapability % 10);
      break;
    }
    for (int other = 0; other < count; ++other) {
      int reaches = 0;
      if (other != index && cudaDeviceCanAccessPeer(&reaches, index, other) == cudaSuccess && reaches != 0)
        info.peers.push_back(other);
    }
    search.gpus.push_back(info);
  }
  if (!search.problem.empty()) search.gpus.clear();
  return search;
}

Device Device::gpu(int index, bool time_products) {
  Device device;
  device.cuda_ = std::make_shared<CudaContext>(index, time_products);
  return device;
}

std::string Device::text() const {
  return cuda_ == nullptr ? "the CPU" : fmt::format("GPU {}, {}", cuda_->index(), cuda_->properties().name);
}

std::string Device::identity() const {
  if (cuda_ == nullptr) return {};
  cudaDeviceProp all{};
  cuda::check(cudaGetDeviceProperties(&all, cuda_->index()), "asking for the GPU's id");
  std::string id;
  for (const char byte : all.uuid.bytes) id += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  // Two ranks may share a GPU over NCCL where each claims its own host.
  const char* claimed = std::getenv("NCCL_HOSTID");
  return claimed == nullptr ? id : fmt::format("{} {}", claimed, id);
}

std::string Device::wgmma() const {
  if (cuda_ == nullptr) return {};
  switch (cuda_->wgmma()) {
    case cuda::WgmmaState::kUsed:
      return "used";
    case cuda::WgmmaState::kOtherGpu:
      return "not used: only GPUs of compute capability 9.0 have it";
    case cuda::WgmmaState::kNotCompiled:
      return "not used: the program has no machine code for sm_90a";
    case cuda::WgmmaState::kSwitchedOff:
      return "not used: NYSTROM_WGMMA is off";
    case cuda::WgmmaState::kWrong:
      return "not used: it multiplies small integers wrongly; please report it";
  }
  return {};
}

std::size_t Device::free_bytes() const {
  return cuda_ == nullptr ? SIZE_MAX : cuda::memory_state().free_bytes;
}

std::size_t Device::used_bytes() const {
  if (cuda_ == nullptr) return 0;
  const cuda::MemoryState state = cuda::memory_state();
  return state.total_bytes - state.free_bytes;
}

std::size_t total_bytes(const Memory& memory) {
  return memory.on_device() ? cuda::memory_state().total_bytes : 0;
}

#else

GpuSearch find_gpus() {
  return {.built = false, .gpus = {}, .problem = "this program was built without CUDA"};
}

Device Device::gpu(int, bool) {
  refuse("This program was built without CUDA.");
}

std::size_t total_bytes(const Memory&) {
  return 0;
}

std::string Device::text() const {
  return "the CPU";
}

std::string Device::identity() const {
  return {};
}

std::string Device::wgmma() const {
  return {};
}

std::size_t Device::free_bytes() const {
  return SIZE_MAX;
}

std::size_t Device::used_bytes() const {
  return 0;
}

#endif

}  // namespace nystrom
