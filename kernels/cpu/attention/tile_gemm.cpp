#include "kernels/cpu/attention/tile_gemm.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/attention/tile_gemm.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace nystrom::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

// 6 x 4 sums, 4 vectors of b and one of a fill most of 32 registers; 6 x 2 do so with 16.
constexpr int kRows = static_cast<int>(kGemmRows);
constexpr int kVectors = HWY_TARGET == HWY_AVX2 ? 2 : 4;

/// Rows x (Vectors vectors) of c.
template <int Rows, int Vectors, class C>
HWY_INLINE void block(const SmallGemm<C>& g, const C* a, const C* b, C* c) {
  const hn::ScalableTag<C> d;
  using V = hn::Vec<decltype(d)>;
  constexpr std::size_t kLanes = hn::MaxLanes(hn::ScalableTag<C>());
  V sums[Rows][Vectors];
#pragma GCC unroll 8
  for (int i = 0; i < Rows; ++i)
#pragma GCC unroll 8
    for (int j = 0; j < Vectors; ++j) sums[i][j] = hn::Zero(d);
  for (std::int64_t p = 0; p < g.k; ++p, a += g.a_column, b += g.b_row) {
    V row[Vectors];
#pragma GCC unroll 8
    for (int j = 0; j < Vectors; ++j) row[j] = hn::LoadU(d, b + static_cast<std::size_t>(j) * kLanes);
#pragma GCC unroll 8
    for (int i = 0; i < Rows; ++i) {
      const V factor = hn::Set(d, a[i * g.a_row]);
#pragma GCC unroll 8
      for (int j = 0; j < Vectors; ++j) sums[i][j] = hn::MulAdd(factor, row[j], sums[i][j]);
    }
  }
  const V alpha = hn::Set(d, g.alpha);
#pragma GCC unroll 8
  for (int i = 0; i < Rows; ++i)
#pragma GCC unroll 8
    for (int j = 0; j < Vectors; ++j) {
      C* to = c + i * g.c_row + static_cast<std::ptrdiff_t>(static_cast<std::size_t>(j) * kLanes);
      const V before = g.accumulate ? hn::LoadU(d, to) : hn::Zero(d);
      hn::StoreU(hn::MulAdd(alpha, sums[i][j], before), d, to);
    }
}

/// All rows of Vectors vectors of columns.
template <int Vectors, class C>
HWY_NOINLINE void panel(const SmallGemm<C>& g, const C* b, C* c) {
  const C* a = g.a;
  std::int64_t left = g.m;
  for (; left >= kRows; left -= kRows, a += kRows * g.a_row, c += kRows * g.c_row)
    block<kRows, Vectors>(g, a, b, c);
  switch (left) {
    case 5:
      return block<5, Vectors>(g, a, b, c);
    case 4:
      return block<4, Vectors>(g, a, b, c);
    case 3:
      return block<3, Vectors>(g, a, b, c);
    case 2:
      return block<2, Vectors>(g, a, b, c);
    case 1:
      return block<1, Vectors>(g, a, b, c);
    default:
      return;
  }
}

template <class C>
HWY_INLINE void gemm(const SmallGemm<C>& g) {
  constexpr auto kLanes = static_cast<std::int64_t>(hn::MaxLanes(hn::ScalableTag<C>()));
  static_assert(kTilePad % kLanes == 0, "a padded row is whole vectors");
  std::int64_t vectors = padded(g.n) / kLanes;
  const C* b = g.b;
  C* c = g.c;
  for (; vectors >= kVectors; vectors -= kVectors, b += kVectors * kLanes, c += kVectors * kLanes)
    panel<kVectors>(g, b, c);
  if constexpr (kVectors > 2) {
    if (vectors == 3) return panel<3>(g, b, c);
    if (vectors == 2) return panel<2>(g, b, c);
  }
  if (vectors == 1) panel<1>(g, b, c);
}

void gemm_float(const SmallGemm<float>& g) {
  gemm(g);
}
void gemm_double(const SmallGemm<double>& g) {
  gemm(g);
}

}  // namespace
}  // namespace nystrom::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace nystrom {

HWY_EXPORT(gemm_float);
HWY_EXPORT(gemm_double);

void small_gemm(const SmallGemm<float>& gemm) {
  HWY_DYNAMIC_DISPATCH(gemm_float)(gemm);
}
void small_gemm(const SmallGemm<double>& gemm) {
  HWY_DYNAMIC_DISPATCH(gemm_double)(gemm);
}

}  // namespace nystrom
#endif
