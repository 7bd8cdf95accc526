// Arithmetic shared by the vectorized CPU ops, compiled once for each instruction set (see
// kernels/library.cmake: AVX2 and AVX-512). Include it after hwy/foreach_target.h, use it inside
// HWY_NAMESPACE.
//
// The functions of one number are free of branches, so that a plain loop over them under `#pragma omp simd`
// becomes vectors of the target's width. NaN in gives NaN out.

#if defined(NYSTROM_KERNELS_SIMD_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef NYSTROM_KERNELS_SIMD_INL_H_
#undef NYSTROM_KERNELS_SIMD_INL_H_
#else
#define NYSTROM_KERNELS_SIMD_INL_H_
#endif

#include <bit>
#include <cmath>
#include <cstdint>
#include <numbers>

#include "hwy/highway.h"
#include "kernels/core/philox.h"
#include "kernels/sequences.h"
#include "kernels/tensor/dtype.h"

HWY_BEFORE_NAMESPACE();
namespace nystrom::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// ---- storage <-> arithmetic ------------------------------------------------------------------------------

HWY_INLINE float load(const float& x) {
  return x;
}
HWY_INLINE double load(const double& x) {
  return x;
}
HWY_INLINE float load(const BF16& x) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(x.bits) << 16U);
}

HWY_INLINE void store(float& to, float x) {
  to = x;
}
HWY_INLINE void store(double& to, double x) {
  to = x;
}
HWY_INLINE void store(float& to, double x) {
  to = static_cast<float>(x);
}
/// Rounds to nearest, ties to even, as BF16's constructor does.
HWY_INLINE void store(BF16& to, float x) {
  const auto u = std::bit_cast<std::uint32_t>(x);
  const std::uint32_t rounded = (u + 0x7fffU + ((u >> 16U) & 1U)) >> 16U;
  const std::uint32_t quiet_nan = (u >> 16U) | 0x40U;
  to.bits = static_cast<std::uint16_t>(x == x ? rounded : quiet_nan);
}

HWY_INLINE void store(BF16& to, double x) {
  store(to, static_cast<float>(x));
}

// ---- functions of one number -----------------------------------------------------------------------------

inline constexpr float kToInteger = 0x1.8p23F;  // adding it rounds to an integer, left in the low bits

/// 2^n for an integer n from -126 to 127, given as kToInteger + n.
HWY_INLINE float power_of_integer(float shifted) {
  return std::bit_cast<float>((std::bit_cast<std::uint32_t>(shifted) << 23U) + 0x3f800000U);
}

/// e^x for x of at most 88, within 1.1 ulp; 0 below -87.3, where floats are subnormal.
HWY_INLINE float fast_exp(float x) {
  const float shifted = __builtin_fmaf(x, std::numbers::log2e_v<float>, kToInteger);
  const float n = shifted - kToInteger;
  float r = __builtin_fmaf(n, -0x1.62e4p-1F, x);  // ln 2 in two parts; the first has zeros at its end
  r = __builtin_fmaf(n, -0x1.7f7d1cp-20F, r);
  float p = 1.3814464752e-3F;  // (e^r - 1 - r) / r^2 on |r| <= ln(2) / 2, minimax
  p = __builtin_fmaf(p, r, 8.3687806222e-3F);
  p = __builtin_fmaf(p, r, 4.1668394259e-2F);
  p = __builtin_fmaf(p, r, 1.6666520106e-1F);
  p = __builtin_fmaf(p, r, 4.9999993412e-1F);
  p = __builtin_fmaf(p * r, r, r) + 1.0F;
  return x < -87.3F ? 0.0F : p * power_of_integer(shifted);
}
HWY_INLINE double fast_exp(double x) {
  return std::exp(x);
}

/// Phi(x), the standard normal distribution function; `gaussian` must be e^(-x^2 / 2).
HWY_INLINE float normal_cdf(float x, float gaussian) {
  const float scaled = 0.3F * std::fabs(x);
  const float t = 1.0F / (1.0F + scaled);
  const float s = scaled * t;  // 1 - t, without its cancellation
  float p = 2.0612948306e-2F;  // e^(x^2 / 2) Phi(-|x|) / t as a polynomial of s, minimax on |x| <= 14
  p = __builtin_fmaf(p, s, -7.3140107125e-2F);
  p = __builtin_fmaf(p, s, 7.1123765741e-2F);
  p = __builtin_fmaf(p, s, 1.0152730240e-2F);
  p = __builtin_fmaf(p, s, 2.3348104044e-2F);
  p = __builtin_fmaf(p, s, -1.3972851136e-1F);
  p = __builtin_fmaf(p, s, -8.1020320202e-2F);
  p = __builtin_fmaf(p, s, 6.1814520682e-1F);
  p = __builtin_fmaf(p, s, -8.2980718024e-1F);
  p = __builtin_fmaf(p, s, 4.9999999828e-1F);
  const float tail = p * t;
  return x < 0.0F ? tail * gaussian : __builtin_fmaf(-tail, gaussian, 1.0F);
}
HWY_INLINE double normal_cdf(double x, double /*gaussian*/) {
  return 0.5 * std::erfc(-x * std::numbers::sqrt2 / 2);
}

// ---- dropout ---------------------------------------------------------------------------------------------

/// Philox blocks [block, block + kWays * lanes) of a sample's dropout, written to `to`: eight half-words
/// each. A lane computes one block. Several vectors side by side fill the time that a chain of ten rounds
/// waits.
template <int kWays>
HWY_INLINE void draw_blocks(const Dropout& dropout, std::int64_t sample, std::int64_t block,
                            std::uint16_t* to) {
  const hn::ScalableTag<std::uint64_t> d;
  const hn::Repartition<std::uint32_t, decltype(d)> d32;
  using V = hn::Vec<decltype(d)>;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const auto multiply = [&](V a, V by)
                            HWY_ATTR { return hn::MulEven(hn::BitCast(d32, a), hn::BitCast(d32, by)); };
  const auto stream =
      static_cast<std::uint64_t>((static_cast<std::uint32_t>(Purpose::kDropout) + dropout.site) << 16U);
  const V low = hn::Set(d, 0xffffffffULL);
  const V m0 = hn::Set(d, 0xD2511F53ULL), m1 = hn::Set(d, 0xCD9E8D57ULL);
  // Four 32-bit words, each in the low half of 64 bits; what the high halves hold is ignored until the end.
  V c0[kWays], c1[kWays], c2[kWays], c3[kWays];
  for (int way = 0; way < kWays; ++way) {
    c0[way] = hn::Iota(d, static_cast<std::uint64_t>(block + way * lanes));
    c1[way] = hn::Or(hn::ShiftRight<32>(c0[way]), hn::Set(d, stream));
    c2[way] = hn::Set(d, static_cast<std::uint64_t>(sample));
    c3[way] = hn::Set(d, static_cast<std::uint64_t>(sample) >> 32U);
  }
  auto k0 = static_cast<std::uint32_t>(dropout.seed);
  auto k1 = static_cast<std::uint32_t>(dropout.seed >> 32U);
  for (int round = 0; round < 10; ++round) {
    const V key0 = hn::Set(d, std::uint64_t{k0}), key1 = hn::Set(d, std::uint64_t{k1});
    for (int way = 0; way < kWays; ++way) {
      const V p0 = multiply(c0[way], m0), p1 = multiply(c2[way], m1);
      c0[way] = hn::Xor3(hn::ShiftRight<32>(p1), c1[way], key0);
      c2[way] = hn::Xor3(hn::ShiftRight<32>(p0), c3[way], key1);
      c1[way] = p1;
      c3[way] = p0;
    }
    k0 += 0x9E3779B9U;
    k1 += 0xBB67AE85U;
  }
  for (int way = 0; way < kWays; ++way, to += 8 * lanes) {
    HWY_ALIGN std::uint64_t halves[HWY_MAX_BYTES / 4];
    hn::StoreInterleaved2(hn::Or(hn::And(c0[way], low), hn::ShiftLeft<32>(c1[way])),
                          hn::Or(hn::And(c2[way], low), hn::ShiftLeft<32>(c3[way])), d, halves);
    __builtin_memcpy(to, halves, static_cast<std::size_t>(lanes) * 16);
  }
}

/// Bits of a run of elements: as many as `dropout_bits` needs room for when asked for `count`.
constexpr std::int64_t dropout_room(std::int64_t count) {
  return count + 80;
}

/// The 16 random bits (kernels/tensor/dropout.h) of elements [first, first + count) of `sample`, drawn into
/// `room` (dropout_room(count) half-words); returns where in `room` the first one is.
HWY_INLINE const std::uint16_t* dropout_bits(const Dropout& dropout, std::int64_t sample, std::int64_t first,
                                             std::int64_t count, std::uint16_t* room) {
  constexpr int kWays = 4;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(hn::ScalableTag<std::uint64_t>()));
  const std::int64_t end = (first + count + 7) / 8;
  std::int64_t block = first / 8;
  std::uint16_t* to = room;
  for (; block + kWays * lanes <= end; block += kWays * lanes, to += 8 * kWays * lanes)
    draw_blocks<kWays>(dropout, sample, block, to);
  for (; block < end; block += lanes, to += 8 * lanes) draw_blocks<1>(dropout, sample, block, to);
  return room + first % 8;
}

}  // namespace nystrom::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
