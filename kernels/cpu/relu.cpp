#include "kernels/cpu/ops.h"

namespace nystrom {
namespace {
constexpr std::int64_t kGrain = 16384;  // elements worth a thread
}

namespace cpu {

void relu_forward(Context& context, const Tensor& x, const Tensor& y) {
  dispatch_float(x.dtype, [&]<class T>(T) {
    const T* from = x.data<T>();
    T* to = y.data<T>();
    parallel_for(context, x.numel(), kGrain, [=](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        const auto v = static_cast<Compute<T>>(from[i]);
        to[i] = v < 0 ? T(Compute<T>(0)) : from[i];
      }
    });
  });
}

void relu_backward(Context& context, const Tensor& y, const Tensor& d_y, const Tensor& d_x) {
  dispatch_float(y.dtype, [&]<class T>(T) {
    const T *value = y.data<T>(), *from = d_y.data<T>();
    T* to = d_x.data<T>();
    parallel_for(context, y.numel(), kGrain, [=](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i)
        to[i] = static_cast<Compute<T>>(value[i]) > 0 ? from[i] : T(Compute<T>(0));
    });
  });
}

}  // namespace cpu
}  // namespace nystrom
