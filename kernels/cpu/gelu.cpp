#include "kernels/cpu/ops.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/gelu.cpp"
#include "hwy/foreach_target.h"
#include "kernels/cpu/column_sums-inl.h"
#include "kernels/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace nystrom::HWY_NAMESPACE {
namespace {

constexpr std::int64_t kGrain = 8192;  // elements worth a thread

struct GeluNew {
  static constexpr double kRoot = 0.79788456080286535588;  // sqrt(2 / pi)

  // 1/2 (1 + tanh(u)) is the sigmoid of 2u.
  template <class C>
  static HWY_INLINE C inner(C x) {
    return C(2 * kRoot) * x * (C(1) + C(0.044715) * x * x);
  }
  template <class C>
  static HWY_INLINE C value(C x) {
    return x * sigmoid(inner(x));
  }
  template <class C>
  static HWY_INLINE C slope(C x) {
    const C u = inner(x);
    const C e = fast_exp(u < C(-80) ? C(80) : -u);  // bounded, so that e s stays finite
    const C s = C(1) / (C(1) + e);
    return s + x * s * (e * s) * C(2 * kRoot) * (C(1) + C(3 * 0.044715) * x * x);
  }
};

struct GeluExact {
  template <class C>
  static HWY_INLINE C value(C x) {
    return x * normal_cdf(x, fast_exp(C(-0.5) * x * x));
  }
  template <class C>
  static HWY_INLINE C slope(C x) {
    const C gaussian = fast_exp(C(-0.5) * x * x);
    return normal_cdf(x, gaussian) + x * gaussian * C(0.39894228040143267794);  // 1 / sqrt(2 pi)
  }
};

template <class Kind, class T>
void forward(Context& context, const T* x, T* y, std::int64_t count) {
  parallel_for(context, count, kGrain, [=](std::int64_t begin, std::int64_t end) HWY_ATTR {
#pragma omp simd
    for (std::int64_t i = begin; i < end; ++i) store(y[i], Kind::value(load(x[i])));
  });
}

template <class Kind, class T>
void backward(Context& context, const T* x, const T* d_y, T* d_x, std::int64_t rows, std::int64_t columns,
              Compute<T>* d_bias) {
  using C = Compute<T>;
  sum_columns<C, 1>(context, rows, columns, {d_bias},
                    [=](std::int64_t row, std::int64_t begin, std::int64_t count, ColumnPartials<C, 1>& sums)
                        HWY_ATTR {
                          const std::int64_t at = row * columns + begin;
                          C* sum = sums.values[0];
#pragma omp simd
                          for (std::int64_t c = 0; c < count; ++c) {
                            const C d = load(d_y[at + c]) * Kind::slope(load(x[at + c]));
                            store(d_x[at + c], d);
                            sum[c] += d;
                          }
                        });
}

void gelu_forward_all(Context& context, Activation kind, const Tensor& x, const Tensor& y) {
  dispatch_float(x.dtype, [&]<class T>(T) {
    const auto run = kind == Activation::kGelu ? &forward<GeluExact, T> : &forward<GeluNew, T>;
    run(context, x.data<T>(), y.data<T>(), x.numel());
  });
}

void gelu_backward_all(Context& context, Activation kind, const Tensor& x, const Tensor& d_y,
                       const Tensor& d_x, const Tensor& d_bias) {
  const std::int64_t columns = x.dim(x.shape.rank() - 1);
  const std::int64_t rows = columns == 0 ? 0 : x.numel() / columns;
  dispatch_float(x.dtype, [&]<class T>(T) {
    const auto run = kind == Activation::kGelu ? &backward<GeluExact, T> : &backward<GeluNew, T>;
    run(context, x.data<T>(), d_y.data<T>(), d_x.data<T>(), rows, columns,
        d_bias.empty() ? nullptr : d_bias.data<Compute<T>>());
  });
}

}  // namespace
}  // namespace nystrom::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace nystrom {

HWY_EXPORT(gelu_forward_all);
HWY_EXPORT(gelu_backward_all);

namespace cpu {

void gelu_forward(Context& context, Activation kind, const Tensor& x, const Tensor& y) {
  HWY_DYNAMIC_DISPATCH(gelu_forward_all)(context, kind, x, y);
}

void gelu_backward(Context& context, Activation kind, const Tensor& x, const Tensor& d_y, const Tensor& d_x,
                   const Tensor& d_bias) {
  HWY_DYNAMIC_DISPATCH(gelu_backward_all)(context, kind, x, d_y, d_x, d_bias);
}

}  // namespace cpu
}  // namespace nystrom
#endif
