#include "kernels/tensor/context.h"

#include <cstring>

#ifdef NYSTROM_WITH_CUDA
#include "kernels/tensor/cuda/context.h"
#endif

namespace nystrom {

void Context::no_cuda_twin() {
  throw InternalError("internal error: an op without a CUDA twin is called with tensors of a GPU");
}

#ifdef NYSTROM_WITH_CUDA
Memory& Context::memory() const {
  return cuda_ == nullptr ? Memory::host() : cuda_->memory();
}
void Context::synchronize() const {
  if (cuda_ != nullptr) cuda_->stream().synchronize();
}
void Context::read(const Tensor& from, void* to) const {
  if (from.bytes() == 0) return;
  if (cuda_ == nullptr) {
    std::memcpy(to, from.address, from.bytes());
  } else {
    cuda::copy_to_host(cuda_->stream(), to, from.address, from.bytes());
    cuda_->stream().synchronize();
  }
}
#else
Memory& Context::memory() const {
  return Memory::host();
}
void Context::synchronize() const {}
void Context::read(const Tensor& from, void* to) const {
  std::memcpy(to, from.address, from.bytes());
}
#endif

void OpScope::record() noexcept {
  try {
    context_->synchronize();
  } catch (const Error&) {  // told again by the next call that waits
  }
  const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start_;
  auto found = profile_->find(name_);
  if (found == profile_->end()) found = profile_->emplace(std::string(name_), OpCount{}).first;
  OpCount& count = found->second;
  ++count.calls;
  count.seconds += spent.count();
  count.flops += flops_;
  count.bytes += bytes_;
  count.fp32_flops += fp32_flops_;
}

}  // namespace nystrom
