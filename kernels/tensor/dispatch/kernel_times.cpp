#include "kernels/tensor/kernel_times.h"

#ifdef NYSTROM_WITH_CUDA
#include "kernels/tensor/cuda/context.h"
#include "kernels/tensor/cuda/kernel_timer.h"
#endif

namespace nystrom {

#ifdef NYSTROM_WITH_CUDA

class KernelTiming::Impl {
 public:
  explicit Impl(CudaContext& cuda) : cuda_(cuda) { cuda_.set_timer(&timer_); }
  ~Impl() { cuda_.set_timer(nullptr); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  [[nodiscard]] KernelTimes read() const { return timer_.read(cuda_.stream()); }

 private:
  CudaContext& cuda_;
  cuda::KernelTimer timer_;
};

KernelTiming::KernelTiming(Context& context)
    : impl_(context.cuda() == nullptr ? nullptr : std::make_unique<Impl>(*context.cuda())) {}

KernelTimes KernelTiming::read() const {
  return impl_ == nullptr ? KernelTimes() : impl_->read();
}

#else

class KernelTiming::Impl {};

KernelTiming::KernelTiming(Context&) {}

KernelTimes KernelTiming::read() const {
  return {};
}

#endif

KernelTiming::~KernelTiming() = default;

}  // namespace nystrom
