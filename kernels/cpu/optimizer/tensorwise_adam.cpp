#include <algorithm>
#include <cmath>

#include "kernels/cpu/ops.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/optimizer/tensorwise_adam.cpp"
#include "hwy/foreach_target.h"
#include "kernels/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace nystrom::HWY_NAMESPACE {
namespace {

constexpr std::int64_t kGrain = 8192;  // weights worth a thread

/// The step's constants, worked out in double and rounded once.
template <class C>
struct Factors {
  C gradient, beta1, one_minus_beta1, beta2, one_minus_beta2, mean, root, epsilon;

  Factors(const TensorwiseAdam& args, double factor)
      : gradient(static_cast<C>(args.gradient_scale * factor)),
        beta1(static_cast<C>(args.config.beta1)),
        one_minus_beta1(static_cast<C>(1 - args.config.beta1)),
        beta2(static_cast<C>(args.config.beta2)),
        one_minus_beta2(static_cast<C>(1 - args.config.beta2)),
        mean(static_cast<C>(1 / (1 - std::pow(args.config.beta1, static_cast<double>(args.step))))),
        root(static_cast<C>(1 / std::sqrt(1 - std::pow(args.config.beta2, static_cast<double>(args.step))))),
        epsilon(static_cast<C>(args.config.epsilon)) {}
};

template <class C>
struct Values {
  C* w;
  const C* g;
  C *m, *v;

  explicit Values(const TensorwiseAdam& args)
      : w(args.weights.data<C>()), g(args.gradients.data<C>()), m(args.m.data<C>()), v(args.v.data<C>()) {}
};

/// The sum of g^2 / max(v^, epsilon^2).
template <class C>
double moments_and_rms(const Factors<C>& f, const Values<C>& x, std::int64_t begin, std::int64_t end) {
  const C* g = x.g;
  C *m = x.m, *v = x.v;
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t i = begin; i < end; ++i) {
    const C d = g[i] * f.gradient;
    m[i] = f.beta1 * m[i] + f.one_minus_beta1 * d;
    v[i] = f.beta2 * v[i] + f.one_minus_beta2 * d * d;
    const C root = std::sqrt(v[i]) * f.root;
    const C ratio = d / (root > f.epsilon ? root : f.epsilon);
    sum += static_cast<double>(ratio) * static_cast<double>(ratio);
  }
  return sum;
}

/// The sums of w^2 and of (u + decay * w)^2, to sums[0] and sums[1].
template <class C>
void moments_and_norms(const Factors<C>& f, C decay, const Values<C>& x, std::int64_t begin, std::int64_t end,
                       double* sums) {
  const C *w = x.w, *g = x.g;
  C *m = x.m, *v = x.v;
  double weights = 0, updates = 0;
#pragma omp simd reduction(+ : weights, updates)
  for (std::int64_t i = begin; i < end; ++i) {
    const C d = g[i] * f.gradient;
    m[i] = f.beta1 * m[i] + f.one_minus_beta1 * d;
    v[i] = f.beta2 * v[i] + f.one_minus_beta2 * d * d;
    const C update = f.mean * m[i] / (std::sqrt(v[i]) * f.root + f.epsilon) + decay * w[i];
    weights += static_cast<double>(w[i]) * static_cast<double>(w[i]);
    updates += static_cast<double>(update) * static_cast<double>(update);
  }
  sums[0] = weights;
  sums[1] = updates;
}

/// `rate` of the corrected m.
template <class C>
void move(const Factors<C>& f, C rate, C keep, const Values<C>& x, std::int64_t begin, std::int64_t end) {
  C* w = x.w;
  const C *m = x.m, *v = x.v;
#pragma omp simd
  for (std::int64_t i = begin; i < end; ++i)
    w[i] = w[i] * keep - rate * m[i] / (std::sqrt(v[i]) * f.root + f.epsilon);
}

template <class C, class T>
void round_to(const C* w, T* copy, std::int64_t begin, std::int64_t end) {
#pragma omp simd
  for (std::int64_t i = begin; i < end; ++i) store(copy[i], w[i]);
}

/// Calls body(part, begin, end, tensor) for every part, on the threads.
template <class Body>
void for_parts(Context& context, const TensorwiseAdam& args, const Body& body) {
  const std::int64_t parts = args.begins.numel();
  const std::int64_t grain = std::max<std::int64_t>(1, kGrain * parts / (args.weights.numel() + 1));
  const auto* begins = args.begins.data<std::int64_t>();
  const auto* ends = args.ends.data<std::int64_t>();
  const auto* tensors = args.tensors.data<std::int32_t>();
  parallel_for(context, parts, grain, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t part = first; part < last; ++part) body(part, begins[part], ends[part], tensors[part]);
  });
}

template <class C>
void moments(Context& context, const TensorwiseAdam& args, double factor, double* sums) {
  const Factors<C> f(args, factor);
  const Values<C> x(args);
  const double* decays = args.decays.data<double>();
  for_parts(context, args, [&](std::int64_t part, std::int64_t begin, std::int64_t end, std::int32_t tensor) {
    double* to = sums + 2 * part;
    if (args.scale == TensorScale::kTrustRatio)
      return moments_and_norms(f, static_cast<C>(decays[tensor]), x, begin, end, to);
    to[0] = moments_and_rms(f, x, begin, end);
    to[1] = static_cast<double>(end - begin);
  });
}

template <class C>
void update(Context& context, const TensorwiseAdam& args, const double* scales) {
  const Factors<C> f(args, 1);
  const Values<C> x(args);
  const double *rates = args.rates.data<double>(), *decays = args.decays.data<double>();
  const double correction = 1 - std::pow(args.config.beta1, static_cast<double>(args.step));
  for_parts(context, args, [&](std::int64_t, std::int64_t begin, std::int64_t end, std::int32_t tensor) {
    const double rate = args.learning_rate * rates[tensor] * scales[tensor];
    move(f, static_cast<C>(rate / correction), static_cast<C>(1 - rate * decays[tensor]), x, begin, end);
    if (!args.copy.empty())
      dispatch_float(args.copy.dtype, [&]<class T>(T) { round_to(x.w, args.copy.data<T>(), begin, end); });
  });
}

void moments_all(Context& context, const TensorwiseAdam& args, double factor, double* sums) {
  if (args.weights.dtype == DType::kF64)
    moments<double>(context, args, factor, sums);
  else
    moments<float>(context, args, factor, sums);
}

void update_all(Context& context, const TensorwiseAdam& args, const double* scales) {
  if (args.weights.dtype == DType::kF64)
    update<double>(context, args, scales);
  else
    update<float>(context, args, scales);
}

}  // namespace
}  // namespace nystrom::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace nystrom {

HWY_EXPORT(moments_all);
HWY_EXPORT(update_all);

namespace {

double factor_of(const TensorwiseAdam& args) {
  return args.factor.empty() ? 1.0 : args.factor.data<double>()[0];
}

void check_parts(const TensorwiseAdam& args) {
  const auto begins = args.begins.span<std::int64_t>(), ends = args.ends.span<std::int64_t>();
  const auto tensors = args.tensors.span<std::int32_t>();
  for (std::size_t p = 0; p < begins.size(); ++p)
    NYSTROM_CHECK(begins[p] >= (p == 0 ? 0 : ends[p - 1]) && ends[p] > begins[p] &&
                      ends[p] <= args.weights.numel() && tensors[p] >= 0 && tensors[p] < args.rates.numel(),
                  "part {} is [{}, {}) of {}, of tensor {} of {}", p, begins[p], ends[p],
                  args.weights.numel(), tensors[p], args.rates.numel());
}

double scale_of(TensorScale kind, double first, double second) {
  if (kind == TensorScale::kUpdateRms) return second > 0 ? 1 / std::max(1.0, std::sqrt(first / second)) : 1;
  return first > 0 && second > 0 ? std::sqrt(first) / std::sqrt(second) : 1;
}

}  // namespace

namespace cpu {

void tensorwise_moments(Context& context, const TensorwiseAdam& args, const Tensor& sums) {
  check_parts(args);
  const double factor = factor_of(args);
  if (factor == 0) return static_cast<void>(std::ranges::fill(sums.span<double>(), 0.0));
  HWY_DYNAMIC_DISPATCH(moments_all)(context, args, factor, sums.data<double>());
}

void tensorwise_scales(Context& context, const TensorScales& args) {
  const double* sums = args.sums.data<double>();
  const auto* firsts = args.firsts.data<std::int64_t>();
  const auto* adapted = args.adapted.data<std::int32_t>();
  double* scales = args.scales.data<double>();
  parallel_for(context, args.scales.numel(), 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t t = begin; t < end; ++t) {
      double first = 0, second = 0;
      for (std::int64_t part = firsts[t]; part < firsts[t + 1]; ++part) {
        first += sums[2 * part];
        second += sums[2 * part + 1];
      }
      scales[t] = adapted[t] != 0 ? scale_of(args.scale, first, second) : 1;
    }
  });
}

void tensorwise_update(Context& context, const TensorwiseAdam& args, const Tensor& scales) {
  check_parts(args);
  if (factor_of(args) == 0) return;
  HWY_DYNAMIC_DISPATCH(update_all)(context, args, scales.data<double>());
}

}  // namespace cpu
}  // namespace nystrom
#endif
