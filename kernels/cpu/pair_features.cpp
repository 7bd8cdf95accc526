#include "kernels/cpu/ops.h"

namespace nystrom::cpu {
namespace {
constexpr std::int64_t kRowGrain = 16;  // pairs worth a thread
}

void pair_features_forward(Context& context, const Tensor& x, const Tensor& y) {
  const std::int64_t columns = x.dim(1);
  dispatch_float(x.dtype, [&]<class T>(T) {
    using C = Compute<T>;
    parallel_for(context, y.dim(0), kRowGrain, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t p = begin; p < end; ++p) {
        const T *const a = x.data<T>() + 2 * p * columns, *const b = a + columns;
        T* const to = y.data<T>() + p * 4 * columns;
        for (std::int64_t c = 0; c < columns; ++c) {
          const C u = static_cast<C>(a[c]), v = static_cast<C>(b[c]);
          to[c] = a[c];
          to[columns + c] = b[c];
          to[2 * columns + c] = T(u * v);
          to[3 * columns + c] = T(u - v);
        }
      }
    });
  });
}

void pair_features_backward(Context& context, const Tensor& x, const Tensor& d_y, const Tensor& d_x) {
  const std::int64_t columns = x.dim(1);
  dispatch_float(x.dtype, [&]<class T>(T) {
    using C = Compute<T>;
    parallel_for(context, d_y.dim(0), kRowGrain, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t p = begin; p < end; ++p) {
        const T *const a = x.data<T>() + 2 * p * columns, *const b = a + columns;
        const T* const d = d_y.data<T>() + p * 4 * columns;
        T *const d_a = d_x.data<T>() + 2 * p * columns, *const d_b = d_a + columns;
        for (std::int64_t c = 0; c < columns; ++c) {
          const C product = static_cast<C>(d[2 * columns + c]),
                  difference = static_cast<C>(d[3 * columns + c]);
          d_a[c] = T(static_cast<C>(d[c]) + product * static_cast<C>(b[c]) + difference);
          d_b[c] = T(static_cast<C>(d[columns + c]) + product * static_cast<C>(a[c]) - difference);
        }
      }
    });
  });
}

}  // namespace nystrom::cpu
