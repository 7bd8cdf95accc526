// Rectifier (relu.h), eight elements a thread; bytes 2 s and 3 s an element of size s; memory bounds it.
// Checked against the CPU through the emulation; not yet run on a GPU.

#include "kernels/relu.h"

#include "kernels/core/cuda/dispatch.h"
#include "kernels/eights_cuda.h"

namespace nystrom::cuda {
namespace {

template <class T>
struct Forward {
  const T* x;
  T* y;

  template <bool kRagged>
  __device__ void at(std::int64_t first, int count) const {
    Eight v = load8<kRagged>(x + first, count);
#pragma unroll
    for (int i = 0; i < kEight; ++i) v.v[i] = v.v[i] < 0.0F ? 0.0F : v.v[i];
    store8<kRagged>(y + first, v, count);
  }
};

template <class T>
struct Backward {
  const T *y, *d_y;
  T* d_x;

  template <bool kRagged>
  __device__ void at(std::int64_t first, int count) const {
    const Eight v = load8<kRagged>(y + first, count);
    Eight d = load8<kRagged>(d_y + first, count);
#pragma unroll
    for (int i = 0; i < kEight; ++i) d.v[i] = v.v[i] > 0.0F ? d.v[i] : 0.0F;
    store8<kRagged>(d_x + first, d, count);
  }
};

}  // namespace

void relu_forward(CudaContext& context, const Tensor& x, const Tensor& y) {
  dispatch_device(x.dtype, [&]<class T>(T) {
    const Forward<T> body{x.data<T>(), y.data<T>()};
    const bool whole = whole_eights(body.x, x.numel()) && whole_eights(body.y, x.numel());
    for_eights(context, "relu_forward", x.numel(), whole, body);
  });
}

void relu_backward(CudaContext& context, const Tensor& y, const Tensor& d_y, const Tensor& d_x) {
  dispatch_device(y.dtype, [&]<class T>(T) {
    const Backward<T> body{y.data<T>(), d_y.data<T>(), d_x.data<T>()};
    const bool whole = whole_eights(body.y, y.numel()) && whole_eights(body.d_y, y.numel()) &&
                       whole_eights(body.d_x, y.numel());
    for_eights(context, "relu_backward", y.numel(), whole, body);
  });
}

}  // namespace nystrom::cuda
