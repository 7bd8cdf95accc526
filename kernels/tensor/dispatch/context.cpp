#include "kernels/tensor/context.h"

#include <cstring>

#ifdef NYSTROM_WITH_CUDA
#include "kernels/tensor/cuda/context.h"
#include "kernels/tensor/cuda/ranges.h"
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

// A profile gives up overlap for times that belong to one op; a trace does not.
void OpScope::begin(Context& context) {
  context_ = &context;
  if (context.profile() != nullptr) context.synchronize();
#ifdef NYSTROM_WITH_CUDA
  if (context.cuda() != nullptr) cuda::push_range(event_.name);
#endif
  event_.begin_ns = Trace::now();
}

void OpScope::end() noexcept {
  try {
    if (context_->profile() != nullptr) context_->synchronize();
  } catch (const Error&) {  // reported again by the next call that waits
  }
  event_.end_ns = Trace::now();
#ifdef NYSTROM_WITH_CUDA
  if (context_->cuda() != nullptr) cuda::pop_range();
#endif
  if (context_->trace() != nullptr) context_->trace()->add(event_);
  if (context_->profile() != nullptr && event_.kind == Trace::Kind::kOp)
    count(1e-9 * static_cast<double>(event_.end_ns - event_.begin_ns));
}

void OpScope::count(double seconds) const {
  Profile& profile = *context_->profile();
  auto found = profile.find(event_.name);
  if (found == profile.end()) found = profile.emplace(std::string(event_.name), OpCount{}).first;
  OpCount& count = found->second;
  ++count.calls;
  count.seconds += seconds;
  count.flops += event_.flops;
  count.bytes += event_.bytes;
  count.fp32_flops += event_.fp32_flops;
}

}  // namespace nystrom
