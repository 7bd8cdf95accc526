#include <algorithm>

#include "kernels/cpu/ops.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/optimizer/average.cpp"
#include "hwy/foreach_target.h"
#include "kernels/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace nystrom::HWY_NAMESPACE {
namespace {

constexpr std::int64_t kGrain = 16384;  // elements worth a thread

template <class C>
void average(const C* values, C part, C* to, std::int64_t begin, std::int64_t end) {
#pragma omp simd
  for (std::int64_t i = begin; i < end; ++i) to[i] += part * (values[i] - to[i]);
}

void average_all(Context& context, const Tensor& values, double decay, const Tensor& to) {
  parallel_for(context, values.numel(), kGrain, [&](std::int64_t begin, std::int64_t end) {
    if (values.dtype == DType::kF64)
      average(values.data<double>(), 1 - decay, to.data<double>(), begin, end);
    else
      average(values.data<float>(), static_cast<float>(1 - decay), to.data<float>(), begin, end);
  });
}

}  // namespace
}  // namespace nystrom::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace nystrom {

HWY_EXPORT(average_all);

namespace cpu {

void average_step(Context& context, const Tensor& values, double decay, const Tensor& average) {
  HWY_DYNAMIC_DISPATCH(average_all)(context, values, decay, average);
}

void swap_values(Context& context, const Tensor& a, const Tensor& b) {
  constexpr std::int64_t kBytes = 1 << 18;
  auto *x = static_cast<std::byte*>(a.address), *y = static_cast<std::byte*>(b.address);
  parallel_for(
      context, static_cast<std::int64_t>(a.bytes()), kBytes,
      [&](std::int64_t begin, std::int64_t end) { std::swap_ranges(x + begin, x + end, y + begin); });
}

}  // namespace cpu
}  // namespace nystrom
#endif
