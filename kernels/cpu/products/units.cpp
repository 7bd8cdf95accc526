#include "kernels/cpu/products/units.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/products/units.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace nystrom::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

constexpr int kChains = 12;  // independent ones: two units with latencies of up to six cycles

double multiply(std::int64_t rounds) {
  const hn::ScalableTag<float> d;
  hn::Vec<decltype(d)> sums[kChains];
  for (auto& sum : sums) sum = hn::Zero(d);
  const auto factor = hn::Set(d, 0.5F);
  for (std::int64_t i = 0; i < rounds; ++i) {
#pragma GCC unroll 12
    for (int chain = 0; chain < kChains; ++chain) sums[chain] = hn::MulAdd(sums[chain], factor, factor);
  }
  auto total = sums[0];
  for (int chain = 1; chain < kChains; ++chain) total = hn::Add(total, sums[chain]);
  [[maybe_unused]] const volatile float kept = hn::GetLane(total);
  return static_cast<double>(rounds) * kChains * 2 * static_cast<double>(hn::Lanes(d));
}

}  // namespace
}  // namespace nystrom::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace nystrom {

HWY_EXPORT(multiply);

double multiply_fp32(std::int64_t rounds) {
  return HWY_DYNAMIC_DISPATCH(multiply)(rounds);
}

}  // namespace nystrom
#endif
