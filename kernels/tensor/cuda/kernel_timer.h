#pragma once
// Events around each kernel and each product of a stream (kernels/tensor/kernel_times.h).

#include <string>
#include <string_view>
#include <vector>

#include "kernels/tensor/cuda/stream.h"
#include "kernels/tensor/kernel_times.h"

namespace nystrom::cuda {

class KernelTimer {
 public:
  /// Around each work that is given to the stream; the two do not nest.
  void begin(const Stream& stream, std::string_view name);
  void end(const Stream& stream);
  /// Waits for the stream.
  [[nodiscard]] KernelTimes read(const Stream& stream) const;

 private:
  struct Work {
    std::string name;
    Event start{Event::Timing::kOn}, stop{Event::Timing::kOn};
  };
  std::vector<Work> works_;
};

/// begin() and end() around `start`, where the stream has a timer.
template <class Start>
void timed(const Stream& stream, std::string_view name, const Start& start) {
  if (stream.timer() != nullptr) [[unlikely]]
    stream.timer()->begin(stream, name);
  start();
  if (stream.timer() != nullptr) [[unlikely]]
    stream.timer()->end(stream);
}

}  // namespace nystrom::cuda
