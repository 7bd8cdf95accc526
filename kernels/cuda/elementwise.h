#pragma once
// Functions of each element by itself, eight elements a thread. A kind of function is a type with
//   value(x)             what it makes of x
//   gradient(saved, d)   d_x for the gradient d of its result; `saved` is x or the result, as its op says
// both static, of floats.

#include "kernels/cuda/vectorized.h"
#include "kernels/tensor/cuda/dispatch.h"

namespace nystrom::cuda {

/// y = value(x), rounded to the type of y.
template <class Kind, class From, class To>
struct Elementwise {
  const From* x;
  To* y;

  template <bool kRagged>
  __device__ void at(std::int64_t first, int count) const {
    Vec8 v = load8<kRagged>(x + first, count);
#pragma unroll
    for (int i = 0; i < kEight; ++i) v.v[i] = Kind::value(v.v[i]);
    store8<kRagged>(y + first, v, count);
  }
  /// Whether runs of `columns` elements are whole eights.
  [[nodiscard]] bool whole(std::int64_t columns) const {
    return whole_eights(x, columns) && whole_eights(y, columns);
  }
};

/// d_x = gradient(saved, d_y); also gives it to whom sums it up (column_sums.h).
template <class Kind, class T>
struct ElementwiseGradient {
  const T *saved, *d_y;
  T* d_x;

  template <bool kRagged>
  __device__ Vec8 at(std::int64_t first, int count) const {
    const Vec8 v = load8<kRagged>(saved + first, count);
    Vec8 d = load8<kRagged>(d_y + first, count);
#pragma unroll
    for (int i = 0; i < kEight; ++i) d.v[i] = Kind::gradient(v.v[i], d.v[i]);
    store8<kRagged>(d_x + first, d, count);
    return d;
  }
  [[nodiscard]] bool whole(std::int64_t columns) const {
    return whole_eights(saved, columns) && whole_eights(d_y, columns) && whole_eights(d_x, columns);
  }
};

template <class Kind>
void elementwise_forward(CudaContext& context, const char* name, const Tensor& x, const Tensor& y) {
  dispatch_device(x.dtype, [&]<class T>(T) {
    const Elementwise<Kind, T, T> body{x.data<T>(), y.data<T>()};
    vectorized_for_each(context, name, x.numel(), body.whole(x.numel()), body);
  });
}

template <class Kind>
void elementwise_backward(CudaContext& context, const char* name, const Tensor& saved, const Tensor& d_y,
                          const Tensor& d_x) {
  dispatch_device(saved.dtype, [&]<class T>(T) {
    const ElementwiseGradient<Kind, T> body{saved.data<T>(), d_y.data<T>(), d_x.data<T>()};
    vectorized_for_each(context, name, saved.numel(), body.whole(saved.numel()), body);
  });
}

}  // namespace nystrom::cuda
