#include "kernels/cpu/ops.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/gelu.cpp"
#include "hwy/foreach_target.h"
#include "kernels/cpu/column_sums-inl.h"
#include "kernels/cpu/lanes-inl.h"
#include "kernels/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace nystrom::HWY_NAMESPACE {
namespace {

constexpr std::int64_t kGrain = 8192;  // elements worth a thread

// x s with s = 1 / (1 + e) and e = e^(-2 sqrt(2 / pi) (x + kCube x^3)), since (1 + tanh(u)) / 2 is the
// sigmoid of 2u.
struct GeluNew {
  static constexpr double kTwoRoots = 2 * 0.79788456080286535588;  // 2 sqrt(2 / pi)
  static constexpr double kCube = 0.044715;

  // Where the result has long been 0 or x, and e still is a normal number.
  template <class C>
  static constexpr C kFar = std::is_same_v<C, float> ? 9.9F : 20;

  // A NaN stays one in these two, since the second operand of Min and Max prevails.
  template <class D>
  static HWY_INLINE hn::Vec<D> at_least(D d, hn::Vec<D> x) {
    return hn::Max(hn::Set(d, -kFar<hn::TFromD<D>>), x);
  }
  template <class D>
  static HWY_INLINE hn::Vec<D> at_most(D d, hn::Vec<D> x) {
    return hn::Min(hn::Set(d, kFar<hn::TFromD<D>>), x);
  }
  /// scale (1 + factor kCube x^2)
  template <class D>
  static HWY_INLINE hn::Vec<D> of_square(D d, hn::Vec<D> x, double scale, double factor) {
    using C = hn::TFromD<D>;
    return hn::MulAdd(hn::Mul(x, x), hn::Set(d, C(scale * factor * kCube)), hn::Set(d, C(scale)));
  }
  template <class D>
  static HWY_INLINE Exp2<D> exponential(D d, hn::Vec<D> x) {
    return exp2_of_product(d, x, of_square(d, x, -kTwoRoots * std::numbers::log2e, 1));
  }
  template <class D>
  static HWY_INLINE hn::Vec<D> value(D d, hn::Vec<D> x) {
    x = at_least(d, x);
    const auto [fraction, power] = exponential(d, at_most(d, x));
    return hn::Div(x, hn::MulAdd(fraction, power, hn::Set(d, hn::TFromD<D>{1})));
  }
  template <class D>
  static HWY_INLINE hn::Vec<D> slope(D d, hn::Vec<D> x) {
    x = at_most(d, at_least(d, x));
    const auto one = hn::Set(d, hn::TFromD<D>{1});
    const auto [fraction, power] = exponential(d, x);
    const auto s = hn::Div(one, hn::MulAdd(fraction, power, one));
    const auto s_of_minus = hn::Mul(hn::Mul(fraction, power), s);
    return hn::MulAdd(hn::Mul(s, s_of_minus), hn::Mul(x, of_square(d, x, kTwoRoots, 3)), s);
  }
};

struct GeluExact {
  template <class D>
  static HWY_INLINE hn::Vec<D> value(D d, hn::Vec<D> x) {
    using C = hn::TFromD<D>;
    return hn::Mul(x, each_lane(d, x, [](C v) HWY_ATTR { return normal_cdf(v, fast_exp(C(-0.5) * v * v)); }));
  }
  template <class D>
  static HWY_INLINE hn::Vec<D> slope(D d, hn::Vec<D> x) {
    using C = hn::TFromD<D>;
    return each_lane(d, x, [](C v) HWY_ATTR {
      const C gaussian = fast_exp(C(-0.5) * v * v);
      constexpr auto kDensity = static_cast<C>(0.39894228040143267794);  // 1 / sqrt(2 pi)
      return std::fma(v * gaussian, kDensity, normal_cdf(v, gaussian));
    });
  }
};

template <class Kind, class T>
void forward(Context& context, const T* x, T* y, std::int64_t count) {
  parallel_for(context, count, kGrain, [=](std::int64_t begin, std::int64_t end) HWY_ATTR {
    for_lanes<Compute<T>>(begin, end, [=](auto d, std::int64_t i) HWY_ATTR {
      store_lanes(d, Kind::value(d, load_lanes(d, x + i)), y + i);
    });
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
                          for_lanes<C>(0, count, [=](auto d, std::int64_t c) HWY_ATTR {
                            const auto slope = Kind::slope(d, load_lanes(d, x + at + c));
                            const auto d_value = hn::Mul(load_lanes(d, d_y + at + c), slope);
                            store_lanes(d, d_value, d_x + at + c);
                            add_lanes(d, d_value, sum + c);
                          });
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
