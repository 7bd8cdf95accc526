#include "kernels/tensor/cuda/kernel_timer.h"

namespace nystrom::cuda {

void KernelTimer::begin(const Stream& stream, std::string_view name) {
  stream.record(works_.emplace_back(Work{.name = std::string(name)}).start);
}

void KernelTimer::end(const Stream& stream) {
  stream.record(works_.back().stop);
}

KernelTimes KernelTimer::read(const Stream& stream) const {
  stream.synchronize();
  KernelTimes times;
  for (const Work& work : works_) {
    KernelTime& time = times[work.name];
    ++time.calls;
    time.seconds += 1e-3 * work.stop.milliseconds_since(work.start);
  }
  return times;
}

}  // namespace nystrom::cuda
