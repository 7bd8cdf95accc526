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
#include "kernels/cpu/products/slab.h"

HWY_BEFORE_NAMESPACE();
namespace nystrom::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// Sums of 14 x 2 vectors, 2 vectors of b and one of a fill 32 registers nearly; of 6 x 2, 16.
inline constexpr int kTileRows = HWY_TARGET == HWY_AVX2 ? 6 : 14;
inline constexpr std::int64_t kVectorLanes = HWY_TARGET == HWY_AVX2 ? 8 : 16;
inline constexpr std::int64_t kTileColumns = 2 * kVectorLanes;

template <int Rows>
HWY_NOINLINE void tile_fp32(const ProductTile& t) {
  const hn::ScalableTag<float> d;
  using V = hn::Vec<decltype(d)>;
  auto* const c = reinterpret_cast<float*>(t.c);
  V left[Rows], right[Rows];
#pragma GCC unroll 16
  for (int i = 0; i < Rows; ++i) {
    __builtin_prefetch(c + i * t.c_row, 1);
    __builtin_prefetch(c + i * t.c_row + 16, 1);
    left[i] = right[i] = hn::Zero(d);
  }
  const auto* a = reinterpret_cast<const float*>(t.a);
  const auto* b = reinterpret_cast<const float*>(t.b);
  const std::byte* ahead = t.ahead;
  for (std::int64_t p = 0; p < t.words; ++p, a += Rows, b += kTileColumns, ahead += t.step) {
    __builtin_prefetch(ahead, 0, 2);
    const V b0 = hn::Load(d, b), b1 = hn::Load(d, b + kVectorLanes);
#pragma GCC unroll 16
    for (int i = 0; i < Rows; ++i) {
      const V factor = hn::Set(d, a[i]);
      left[i] = hn::MulAdd(factor, b0, left[i]);
      right[i] = hn::MulAdd(factor, b1, right[i]);
    }
  }
  const float* before = t.add ? c : t.bias;
  const std::int64_t before_row = t.add ? t.c_row : 0;
  if (before == nullptr) {
#pragma GCC unroll 16
    for (int i = 0; i < Rows; ++i) {
      hn::StoreU(left[i], d, c + i * t.c_row);
      hn::StoreU(right[i], d, c + i * t.c_row + kVectorLanes);
    }
    return;
  }
#pragma GCC unroll 16
  for (int i = 0; i < Rows; ++i, before += before_row) {
    hn::StoreU(hn::Add(hn::LoadU(d, before), left[i]), d, c + i * t.c_row);
    hn::StoreU(hn::Add(hn::LoadU(d, before + kVectorLanes), right[i]), d, c + i * t.c_row + kVectorLanes);
  }
}

using TileFunction = void (*)(const ProductTile&);

template <std::size_t... Rows>
constexpr std::array<TileFunction, sizeof...(Rows)> tile_functions(std::index_sequence<Rows...>) {
  return {&tile_fp32<static_cast<int>(Rows) + 1>...};
}
inline constexpr auto kTileFunctions = tile_functions(std::make_index_sequence<kTileRows>());

/// A tile of `rows` rows and `columns` columns, at most kTileRows and kTileColumns.
inline void any_tile(const ProductTile& t, std::int64_t rows, std::int64_t columns) {
  const TileFunction run = kTileFunctions[static_cast<std::size_t>(rows - 1)];
  if (columns == kTileColumns) return run(t);
  alignas(64) float sums[kTileRows * kTileColumns];
  ProductTile whole = t;
  whole.bias = nullptr;
  whole.add = false;
  whole.c = reinterpret_cast<std::byte*>(sums);
  whole.c_row = kTileColumns;
  run(whole);
  for (std::int64_t i = 0; i < rows; ++i)
    for (std::int64_t j = 0; j < columns; ++j) {
      float* to = reinterpret_cast<float*>(t.c) + i * t.c_row + j;
      const float sum = sums[i * kTileColumns + j];
      *to = t.add ? *to + sum : t.bias != nullptr ? t.bias[j] + sum : sum;
    }
}

}  // namespace nystrom::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
