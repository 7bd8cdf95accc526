// Rows as vectors of the target's width, compiled once for each instruction set: what simd-inl.h has for one
// number, where the compiler's own vectors fall short (bounds become compares and blends, sums one chain of
// additions). The last elements of a row go through the same code one at a time. Where an element's place
// must change no bit, products that are added to something are written as MulAdd: of Mul and Add the compiler
// may make one in a whole vector and two for a single element.

#if defined(NYSTROM_KERNELS_LANES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef NYSTROM_KERNELS_LANES_INL_H_
#undef NYSTROM_KERNELS_LANES_INL_H_
#else
#define NYSTROM_KERNELS_LANES_INL_H_
#endif

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <type_traits>

#include "hwy/highway.h"
#include "kernels/cpu/simd-inl.h"
#include "kernels/tensor/cpu_features.h"
#include "kernels/tensor/dtype.h"

HWY_BEFORE_NAMESPACE();
namespace nystrom::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/// body(tag of C, index) for [begin, end): whole vectors, then the elements left, one at a time.
template <class C, class Body>
HWY_INLINE void for_lanes(std::int64_t begin, std::int64_t end, const Body& body) {
  const hn::ScalableTag<C> whole;
  const hn::CappedTag<C, 1> single;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(whole));
  std::int64_t i = begin;
  for (; i + lanes <= end; i += lanes) body(whole, i);
  for (; i < end; ++i) body(single, i);
}

// ---- storage <-> arithmetic ------------------------------------------------------------------------------

/// Half-words as unsigned integers of the width of D's numbers.
template <class D>
HWY_INLINE hn::Vec<hn::RebindToUnsigned<D>> promoted(D /*d*/, const std::uint16_t* from) {
  const hn::Rebind<std::uint16_t, D> halves;
  const hn::Rebind<std::uint32_t, D> words;
  const auto v = hn::PromoteTo(words, hn::LoadU(halves, from));
  if constexpr (sizeof(hn::TFromD<D>) == 8)
    return hn::PromoteTo(hn::RebindToUnsigned<D>(), v);
  else
    return v;
}

template <class D>
HWY_INLINE hn::Vec<D> load_lanes(D d, const hn::TFromD<D>* from) {
  return hn::LoadU(d, from);
}
template <class D>
HWY_INLINE hn::Vec<D> load_lanes(D d, const BF16* from) {
  return hn::BitCast(d, hn::ShiftLeft<16>(promoted(d, &from->bits)));
}

template <class D>
HWY_INLINE void store_lanes(D d, hn::Vec<D> v, hn::TFromD<D>* to) {
  hn::StoreU(v, d, to);
}
#if HWY_TARGET == HWY_AVX3
inline const bool kRoundsByCpu = CpuFeatures::detect().avx512_bf16;

/// The instruction of AVX512-BF16, which the target need not have. Subnormal numbers become 0.
HWY_INLINE __m256i rounded_by_cpu(__m512 v) {
  __m256i rounded;
  asm("vcvtneps2bf16 %1, %0" : "=v"(rounded) : "v"(v));
  return rounded;
}
#endif

/// Rounds to nearest, ties to even, as BF16's constructor does.
template <class D>
HWY_INLINE void store_lanes(D /*d*/, hn::Vec<D> v, BF16* to) {
#if HWY_TARGET == HWY_AVX3
  if constexpr (hn::MaxLanes(D()) == 16)
    if (kRoundsByCpu) {
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), rounded_by_cpu(v.raw));
      return;
    }
#endif
  const hn::RebindToUnsigned<D> words;
  const hn::RebindToSigned<D> integers;
  const hn::Rebind<std::uint16_t, D> halves;
  const auto bits = hn::BitCast(words, v);
  const auto odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(words, 1U));
  const auto rounded = hn::Add(bits, hn::Add(odd, hn::Set(words, 0x7fffU)));
  const auto quiet_nan = hn::Or(bits, hn::Set(words, 0x400000U));
  const auto kept = hn::IfThenElse(hn::RebindMask(words, hn::IsNaN(v)), quiet_nan, rounded);
  hn::StoreU(hn::DemoteTo(halves, hn::BitCast(integers, hn::ShiftRight<16>(kept))), halves, &to->bits);
}

/// to += v
template <class D>
HWY_INLINE void add_lanes(D d, hn::Vec<D> v, hn::TFromD<D>* to) {
  hn::StoreU(hn::Add(hn::LoadU(d, to), v), d, to);
}

// ---- sums ------------------------------------------------------------------------------------------------

/// sums[s] = the sum over [0, count) of the v[s] that term(tag of C, index, v) sets, in two chains of
/// additions.
template <std::size_t kSums, class C, class Term>
HWY_INLINE void sum_lanes(std::int64_t count, C* sums, const Term& term) {
  const hn::ScalableTag<C> d;
  using V = hn::Vec<decltype(d)>;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  std::int64_t i = 0;
  V first[kSums], second[kSums], v[kSums];
  for (std::size_t s = 0; s < kSums; ++s) first[s] = second[s] = hn::Zero(d);
  for (; i + 2 * lanes <= count; i += 2 * lanes) {
    term(d, i, v);
    for (std::size_t s = 0; s < kSums; ++s) first[s] = hn::Add(first[s], v[s]);
    term(d, i + lanes, v);
    for (std::size_t s = 0; s < kSums; ++s) second[s] = hn::Add(second[s], v[s]);
  }
  for (std::size_t s = 0; s < kSums; ++s)
    sums[s] = hn::GetLane(hn::SumOfLanes(d, hn::Add(first[s], second[s])));
  const hn::CappedTag<C, 1> single;
  hn::Vec<decltype(single)> one[kSums];
  for (; i < count; ++i) {
    term(single, i, one);
    for (std::size_t s = 0; s < kSums; ++s) sums[s] += hn::GetLane(one[s]);
  }
}

// ---- dropout ---------------------------------------------------------------------------------------------

inline constexpr std::int64_t kDropoutRun = 512;  // elements whose random bits are drawn at once

/// Runs body(tag of C, c, drop) over the elements [0, columns) of a row, where drop(v) is v through the
/// dropout; v itself if that is not active.
template <class C, class Body>
HWY_INLINE void for_dropped_lanes(const Dropout& dropout, const RowKeys& keys, std::int64_t row,
                                  std::int64_t columns, const Body& body) {
  if (!dropout.active())
    return for_lanes<C>(
        0, columns, [&](auto d, std::int64_t c) HWY_ATTR { body(d, c, [](auto v) HWY_ATTR { return v; }); });
  const std::int64_t sample = keys.samples.data<std::int64_t>()[row];
  const std::int64_t position = keys.positions.data<std::int32_t>()[row];
  std::uint16_t room[dropout_room(kDropoutRun)];
  const auto threshold = static_cast<std::uint16_t>(dropout.threshold());
  const auto scale = static_cast<C>(dropout.scale());
  for (std::int64_t begin = 0; begin < columns; begin += kDropoutRun) {
    const std::int64_t end = std::min(begin + kDropoutRun, columns);
    const std::uint16_t* bits = dropout_bits(dropout, sample, position * columns + begin, end - begin, room);
    for_lanes<C>(begin, end, [&](auto d, std::int64_t c) HWY_ATTR {
      body(d, c, [&](auto v) HWY_ATTR {
        using D = decltype(d);
        const hn::RebindToSigned<D> integers;
        const auto drawn = hn::BitCast(integers, promoted(d, bits + (c - begin)));
        const auto dropped = hn::Lt(drawn, hn::Set(integers, threshold));
        return hn::IfThenZeroElse(hn::RebindMask(d, dropped), hn::Mul(v, hn::Set(d, scale)));
      });
    });
  }
}

// ---- functions of one number -----------------------------------------------------------------------------

/// f of each lane, for functions of one number.
template <class D, class F>
HWY_INLINE hn::Vec<D> each_lane(D d, hn::Vec<D> x, const F& f) {
  HWY_ALIGN hn::TFromD<D> values[HWY_MAX_BYTES / sizeof(hn::TFromD<D>)];
  hn::Store(x, d, values);
#pragma omp simd
  for (std::size_t i = 0; i < hn::Lanes(d); ++i) values[i] = f(values[i]);
  return hn::Load(d, values);
}

/// A polynomial of r by Horner's rule; coefficients from the highest power down.
template <class D>
HWY_INLINE hn::Vec<D> polynomial(D d, hn::Vec<D> r, std::initializer_list<hn::TFromD<D>> coefficients) {
  auto at = coefficients.begin();
  auto p = hn::Set(d, *at);
  while (++at != coefficients.end()) p = hn::MulAdd(p, r, hn::Set(d, *at));
  return p;
}

/// A power of two in two factors.
template <class D>
struct Exp2 {
  hn::Vec<D> fraction;  ///< from 2^-1/2 to 2^1/2
  hn::Vec<D> power;     ///< 2^n for an integer n
};

/// 2^(a b) within 1.1 ulp, for a b from -126 to 127.
template <class D>
HWY_INLINE Exp2<D> exp2_of_product(D d, hn::Vec<D> a, hn::Vec<D> b) {
  using C = hn::TFromD<D>;
  if constexpr (std::is_same_v<C, double>) {
    return {each_lane(d, hn::Mul(a, b), [](double x) { return std::exp2(x); }), hn::Set(d, 1.0)};
  } else {
    const hn::RebindToUnsigned<D> words;
    const auto shift = hn::Set(d, kToInteger);
    const auto shifted = hn::MulAdd(a, b, shift);
    const auto r = hn::MulSub(a, b, hn::Sub(shifted, shift));
    // 2^r on |r| <= 1/2, minimax
    const auto fraction = polynomial(d, r,
                                     {1.5353361796e-4F, 1.3398874402e-3F, 9.6184373579e-3F, 5.5503324712e-2F,
                                      2.4022647914e-1F, 6.9314720286e-1F, 1.0F});
    const auto exponent = hn::ShiftLeft<23>(hn::BitCast(words, shifted));
    return {fraction, hn::BitCast(d, hn::Add(exponent, hn::Set(words, 0x3f800000U)))};
  }
}

}  // namespace nystrom::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
