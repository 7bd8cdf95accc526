// The micro-kernel of products in fp32, compiled once for each instruction set: a tile of up to kTileRows
// rows by kTileColumns columns of c in registers, over one block of k.

#if defined(NYSTROM_KERNELS_PRODUCTS_TILE_FP32_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef NYSTROM_KERNELS_PRODUCTS_TILE_FP32_INL_H_
#undef NYSTROM_KERNELS_PRODUCTS_TILE_FP32_INL_H_
#else
#define NYSTROM_KERNELS_PRODUCTS_TILE_FP32_INL_H_
#endif

#include <array>
#include <cstdint>
#include <utility>

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace nystrom::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// Sums of 14 x 2 vectors, 2 vectors of b and one of a fill 32 registers nearly; of 6 x 2, 16.
inline constexpr int kTileRows = HWY_TARGET == HWY_AVX2 ? 6 : 14;
inline constexpr std::int64_t kVectorLanes = HWY_TARGET == HWY_AVX2 ? 8 : 16;
inline constexpr std::int64_t kTileColumns = 2 * kVectorLanes;

/// c [rows, columns] = before + the sum over p of a(i, p) b(p, j); a and b are packed panels. `before` is
/// null (0), c itself, or a bias (row stride 0).
struct TileFp32 {
  std::int64_t length;  ///< of the block of k
  const float* a;       ///< [length][rows]
  const float* b;       ///< [length][kTileColumns]
  const float* before;
  std::int64_t before_row;
  float* c;
  std::int64_t c_row;
  const float* ahead;  ///< what is read next and not yet near: fetched while this is computed,
  std::int64_t step;   ///< elements for each p
};

/// Each element is one chain of multiply-adds in the order of p, whatever the number of rows.
template <int Rows>
HWY_NOINLINE void tile_fp32(const TileFp32& t) {
  const hn::ScalableTag<float> d;
  using V = hn::Vec<decltype(d)>;
  V left[Rows], right[Rows];
#pragma GCC unroll 16
  for (int i = 0; i < Rows; ++i) {
    __builtin_prefetch(t.c + i * t.c_row, 1);
    __builtin_prefetch(t.c + i * t.c_row + 16, 1);
    left[i] = right[i] = hn::Zero(d);
  }
  const float* a = t.a;
  const float* b = t.b;
  const float* ahead = t.ahead;
  for (std::int64_t p = 0; p < t.length; ++p, a += Rows, b += kTileColumns, ahead += t.step) {
    __builtin_prefetch(ahead, 0, 2);
    const V b0 = hn::Load(d, b), b1 = hn::Load(d, b + kVectorLanes);
#pragma GCC unroll 16
    for (int i = 0; i < Rows; ++i) {
      const V factor = hn::Set(d, a[i]);
      left[i] = hn::MulAdd(factor, b0, left[i]);
      right[i] = hn::MulAdd(factor, b1, right[i]);
    }
  }
  if (t.before == nullptr) {
#pragma GCC unroll 16
    for (int i = 0; i < Rows; ++i) {
      hn::StoreU(left[i], d, t.c + i * t.c_row);
      hn::StoreU(right[i], d, t.c + i * t.c_row + kVectorLanes);
    }
    return;
  }
#pragma GCC unroll 16
  for (int i = 0; i < Rows; ++i) {
    const float* before = t.before + i * t.before_row;
    hn::StoreU(hn::Add(hn::LoadU(d, before), left[i]), d, t.c + i * t.c_row);
    hn::StoreU(hn::Add(hn::LoadU(d, before + kVectorLanes), right[i]), d, t.c + i * t.c_row + kVectorLanes);
  }
}

using TileFunction = void (*)(const TileFp32&);

template <std::size_t... Rows>
constexpr std::array<TileFunction, sizeof...(Rows)> tile_functions(std::index_sequence<Rows...>) {
  return {&tile_fp32<static_cast<int>(Rows) + 1>...};
}
inline constexpr auto kTileFunctions = tile_functions(std::make_index_sequence<kTileRows>());

/// A tile of `rows` rows and `columns` columns, at most kTileRows and kTileColumns.
HWY_INLINE void any_tile(const TileFp32& t, std::int64_t rows, std::int64_t columns) {
  const TileFunction run = kTileFunctions[static_cast<std::size_t>(rows - 1)];
  if (columns == kTileColumns) return run(t);
  alignas(64) float sums[kTileRows * kTileColumns];
  TileFp32 whole = t;
  whole.before = nullptr;
  whole.c = sums;
  whole.c_row = kTileColumns;
  run(whole);
  for (std::int64_t i = 0; i < rows; ++i)
    for (std::int64_t j = 0; j < columns; ++j) {
      const float sum = sums[i * kTileColumns + j];
      t.c[i * t.c_row + j] = t.before == nullptr ? sum : t.before[i * t.before_row + j] + sum;
    }
}

}  // namespace nystrom::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
