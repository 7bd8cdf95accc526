// Packing for products in fp32, compiled once for each instruction set. A panel holds some rows of op(a), or
// some columns of op(b), of one block of k: element (lane, p) at [p * pitch + lane], so that the micro-kernel
// reads both operands as they are stored.

#if defined(NYSTROM_KERNELS_PRODUCTS_PANELS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef NYSTROM_KERNELS_PRODUCTS_PANELS_INL_H_
#undef NYSTROM_KERNELS_PRODUCTS_PANELS_INL_H_
#else
#define NYSTROM_KERNELS_PRODUCTS_PANELS_INL_H_
#endif

#include <cstdint>

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace nystrom::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/// Each 128-bit block of v, `step` elements apart.
template <class V>
HWY_INLINE void store_blocks(V v, float* to, std::int64_t step) {
#if HWY_TARGET == HWY_AVX2
  _mm_storeu_ps(to, _mm256_castps256_ps128(v.raw));
  _mm_storeu_ps(to + step, _mm256_extractf128_ps(v.raw, 1));
#else
  _mm_storeu_ps(to, _mm512_castps512_ps128(v.raw));
  _mm_storeu_ps(to + step, _mm512_extractf32x4_ps(v.raw, 1));
  _mm_storeu_ps(to + 2 * step, _mm512_extractf32x4_ps(v.raw, 2));
  _mm_storeu_ps(to + 3 * step, _mm512_extractf32x4_ps(v.raw, 3));
#endif
}

/// Four rows of whole vectors, four lanes of each p; the four rows behind them are fetched.
HWY_INLINE void pack_four_rows(const float* from, std::int64_t row, std::int64_t length, float* to,
                               std::int64_t pitch) {
  const hn::ScalableTag<float> d;
  const hn::Repartition<double, decltype(d)> pairs;
  constexpr auto kLanes = static_cast<std::int64_t>(hn::MaxLanes(hn::ScalableTag<float>()));
  const auto pair = [&](auto low, auto high) HWY_ATTR {  // 128-bit blocks of two columns each
    return hn::BitCast(d, hn::InterleaveLower(pairs, hn::BitCast(pairs, low), hn::BitCast(pairs, high)));
  };
  const auto upper_pair = [&](auto low, auto high) HWY_ATTR {
    return hn::BitCast(d, hn::InterleaveUpper(pairs, hn::BitCast(pairs, low), hn::BitCast(pairs, high)));
  };
  std::int64_t p = 0;
  for (; p + kLanes <= length; p += kLanes) {
    for (std::int64_t next = 4; next < 8; ++next) __builtin_prefetch(from + next * row + p);
    const auto r0 = hn::LoadU(d, from + p), r1 = hn::LoadU(d, from + row + p);
    const auto r2 = hn::LoadU(d, from + 2 * row + p), r3 = hn::LoadU(d, from + 3 * row + p);
    const auto low01 = hn::InterleaveLower(d, r0, r1), low23 = hn::InterleaveLower(d, r2, r3);
    const auto high01 = hn::InterleaveUpper(d, r0, r1), high23 = hn::InterleaveUpper(d, r2, r3);
    const auto store = [&](auto v, std::int64_t at)
                           HWY_ATTR { store_blocks(v, to + (p + at) * pitch, 4 * pitch); };
    store(pair(low01, low23), 0);
    store(upper_pair(low01, low23), 1);
    store(pair(high01, high23), 2);
    store(upper_pair(high01, high23), 3);
  }
  for (; p < length; ++p)
    for (std::int64_t lane = 0; lane < 4; ++lane) to[p * pitch + lane] = from[lane * row + p];
}

/// Lanes are `row` apart, their elements side by side.
HWY_INLINE void pack_rows(const float* from, std::int64_t row, std::int64_t lanes, std::int64_t length,
                          float* to, std::int64_t pitch) {
  std::int64_t lane = 0;
  for (; lane + 4 <= lanes; lane += 4) pack_four_rows(from + lane * row, row, length, to + lane, pitch);
  for (; lane < lanes; ++lane)
    for (std::int64_t p = 0; p < length; ++p) to[p * pitch + lane] = from[lane * row + p];
}

/// Lanes are side by side, their elements `column` apart: panels of `pitch` lanes at once, as memory is read
/// by lines and pages. What is left of the last panel becomes zeros.
HWY_INLINE void pack_columns(const float* from, std::int64_t column, std::int64_t lanes, std::int64_t length,
                             float* to, std::int64_t pitch) {
  constexpr std::int64_t kAhead = 16;
  const hn::ScalableTag<float> d;
  constexpr auto kLanes = static_cast<std::int64_t>(hn::MaxLanes(hn::ScalableTag<float>()));
  for (std::int64_t p = 0; p < length; ++p, from += column) {
    if (p + kAhead < length)
      for (std::int64_t lane = 0; lane < lanes; lane += 16) __builtin_prefetch(from + kAhead * column + lane);
    for (std::int64_t first = 0; first < lanes; first += pitch) {
      float* panel = to + first * length + p * pitch;
      const std::int64_t here = lanes - first < pitch ? lanes - first : pitch;
      std::int64_t lane = 0;
      for (; lane + kLanes <= here; lane += kLanes)
        hn::StoreU(hn::LoadU(d, from + first + lane), d, panel + lane);
      if (lane < here) {
        const auto rest = hn::FirstN(d, static_cast<std::size_t>(here - lane));
        hn::BlendedStore(hn::MaskedLoad(rest, d, from + first + lane), rest, d, panel + lane);
      }
    }
  }
}

/// Panels of `pitch` lanes, one after another: lane i's element p is at from[i * lane_stride + p * stride];
/// one of the strides is 1. What lanes lack of the last panel becomes zeros.
HWY_INLINE void pack_panels(const float* from, std::int64_t lane_stride, std::int64_t stride,
                            std::int64_t lanes, std::int64_t length, float* to, std::int64_t pitch) {
  if (const std::int64_t rest = lanes % pitch; rest != 0) {
    float* last = to + (lanes - rest) * length;
    for (std::int64_t p = 0; p < length; ++p)
      for (std::int64_t lane = rest; lane < pitch; ++lane) last[p * pitch + lane] = 0;
  }
  if (stride != 1) return pack_columns(from, stride, lanes, length, to, pitch);
  for (std::int64_t first = 0; first < lanes; first += pitch)
    pack_rows(from + first * lane_stride, lane_stride, lanes - first < pitch ? lanes - first : pitch, length,
              to + first * length, pitch);
}

}  // namespace nystrom::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
