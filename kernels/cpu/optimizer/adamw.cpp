#include "kernels/cpu/ops.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/optimizer/adamw.cpp"
#include "hwy/foreach_target.h"
#include "kernels/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace nystrom::HWY_NAMESPACE {
namespace {

constexpr std::int64_t kGrain = 8192;  // weights worth a thread

/// The step's constants, worked out in double and rounded once.
template <class C>
struct Factors {
  C gradient, keep, beta1, one_minus_beta1, beta2, one_minus_beta2, rate, root, epsilon;

  explicit Factors(const AdamW& args)
      : gradient(static_cast<C>(args.gradient_scale)),
        keep(static_cast<C>(1 - args.learning_rate * args.weight_decay)),
        beta1(static_cast<C>(args.config.beta1)),
        one_minus_beta1(static_cast<C>(1 - args.config.beta1)),
        beta2(static_cast<C>(args.config.beta2)),
        one_minus_beta2(static_cast<C>(1 - args.config.beta2)),
        rate(static_cast<C>(args.learning_rate /
                            (1 - std::pow(args.config.beta1, static_cast<double>(args.step))))),
        root(static_cast<C>(1 / std::sqrt(1 - std::pow(args.config.beta2, static_cast<double>(args.step))))),
        epsilon(static_cast<C>(args.config.epsilon)) {}
};

template <class C>
void update(const Factors<C>& f, C* w, const C* g, C* m, C* v, std::int64_t begin, std::int64_t end) {
#pragma omp simd
  for (std::int64_t i = begin; i < end; ++i) {
    const C d = g[i] * f.gradient;
    m[i] = f.beta1 * m[i] + f.one_minus_beta1 * d;
    v[i] = f.beta2 * v[i] + f.one_minus_beta2 * d * d;
    w[i] = w[i] * f.keep - f.rate * m[i] / (std::sqrt(v[i]) * f.root + f.epsilon);
  }
}

template <class C, class T>
void round_to(const C* w, T* copy, std::int64_t begin, std::int64_t end) {
#pragma omp simd
  for (std::int64_t i = begin; i < end; ++i) store(copy[i], w[i]);
}

template <class C>
void step(Context& context, const AdamW& args) {
  const Factors<C> factors(args);
  C* w = args.weights.data<C>();
  const C* g = args.gradients.data<C>();
  C* m = args.m.data<C>();
  C* v = args.v.data<C>();
  parallel_for(context, args.weights.numel(), kGrain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t at = begin; at < end; at += kGrain) {  // so that the copy finds the weights in cache
      const std::int64_t stop = std::min(at + kGrain, end);
      update(factors, w, g, m, v, at, stop);
      if (!args.copy.empty())
        dispatch_float(args.copy.dtype, [&]<class T>(T) { round_to(w, args.copy.data<T>(), at, stop); });
    }
  });
}

void adamw_step_all(Context& context, const AdamW& args) {
  if (args.weights.dtype == DType::kF64)
    step<double>(context, args);
  else
    step<float>(context, args);
}

}  // namespace
}  // namespace nystrom::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace nystrom {

HWY_EXPORT(adamw_step_all);

namespace {

void check_begins(const AdamW& args) {
  std::int64_t before = -1;
  for (const std::int64_t begin : args.groups.begins.span<std::int64_t>()) {
    NYSTROM_CHECK(begin > before && begin < args.weights.numel() && (before >= 0 || begin == 0),
                  "a group of weights begins at {} of {}, after {}", begin, args.weights.numel(), before);
    before = begin;
  }
}

/// The update of one parameter group.
AdamW group(const AdamW& args, std::int64_t index) {
  const auto begins = args.groups.begins.span<std::int64_t>();
  const auto at = static_cast<std::size_t>(index);
  const std::int64_t begin = begins[at];
  const std::int64_t count = (at + 1 < begins.size() ? begins[at + 1] : args.weights.numel()) - begin;
  const auto part = [&](const Tensor& flat) {
    return flat.empty() ? Tensor{} : flat.reshaped({flat.numel()}).rows(begin, count);
  };
  AdamW one = args;
  one.weights = part(args.weights);
  one.gradients = part(args.gradients);
  one.m = part(args.m);
  one.v = part(args.v);
  one.copy = part(args.copy);
  one.learning_rate *= args.groups.rates.data<double>()[at];
  one.weight_decay = args.groups.decays.data<double>()[at];
  return one;
}

}  // namespace

namespace cpu {

void adamw_step(Context& context, const AdamW& args) {
  AdamW scaled = args;
  const double factor = args.factor.empty() ? 1.0 : args.factor.data<double>()[0];
  if (factor == 0) return;
  scaled.gradient_scale *= factor;
  if (args.groups.begins.empty()) return HWY_DYNAMIC_DISPATCH(adamw_step_all)(context, scaled);
  check_begins(args);
  for (std::int64_t g = 0; g < args.groups.begins.numel(); ++g)
    HWY_DYNAMIC_DISPATCH(adamw_step_all)(context, group(scaled, g));
}

}  // namespace cpu
}  // namespace nystrom
#endif
