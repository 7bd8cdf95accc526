#pragma once
// Products of small fp32 matrices on tensor cores, to the accuracy of fp32. A factor is split into two fp16
// parts, s x = hi + lo, where s is a power of two that brings the factor's largest element to [2^14, 2^15):
// so hi and lo keep 22 bits of it, and what is smaller loses nothing before 2^-39 of the largest. A product
// is hi hi + (hi lo + lo hi) with fp32 sums, the two apart: small terms are not cut off where tensor cores
// align them to large ones. docs/gpu.md has the errors measured.
//
// A block of four warps computes 64 x 64 elements at a time; a warp has 16 rows of them, as `TileRows`, in
// the layout of tiles.h. A factor on the left comes from registers (`SplitRows`: what a warp multiplies with
// it stays its own), one on the right from shared memory (`SplitTile`, 16 KiB), as it lies or transposed.
// Products of M <= 64 are made by each warp (ByWarp: mma.sync) or by all four (ByGroup: wgmma, where M > 48).

#include "kernels/cuda/attention/tiles.h"

namespace nystrom::cuda {

inline constexpr int kSquareThreads = kAttentionThreads;
inline constexpr int kSquareTile = kBlockRows;
inline constexpr int kSplitPart = kSquareTile * kSquareTile;  ///< elements of a part of a tile
inline constexpr int kSplitTileBytes = 2 * kSplitPart * 2;    ///< of both parts

/// 16 rows of a warp of 64 x 64 elements.
using TileRows = Sums<kSquareTile>;

/// Who makes a product.
struct ByWarp {
  static constexpr bool kGroup = false;
};
struct ByGroup {
  static constexpr bool kGroup = true;  ///< to be called by the whole block; Extent is 64
};

/// What of a matrix in a tile may be other than zero. Rows and columns from these on are neither stored nor
/// read nor multiplied, sixteen at a time.
struct Extent {
  int rows, columns;
  __device__ Extent(int m) : rows(m), columns(m) {}  // NOLINT(google-explicit-constructor): of a square
  __device__ Extent(int rows_from, int columns_from) : rows(rows_from), columns(columns_from) {}
};
/// The same for a product a b; `inner`: columns of a and rows of b.
struct ProductExtent {
  int rows, inner, columns;
  __device__ ProductExtent(int m) : rows(m), inner(m), columns(m) {}  // NOLINT(google-explicit-constructor)
  __device__ ProductExtent(const Extent& a, int columns_from)
      : rows(a.rows), inner(a.columns), columns(columns_from) {}
};
/// Of a factor that is summed over `columns` columns: wgmma sums over all 64, which must not hold anything.
template <class Unit>
__device__ inline Extent columns_of(int columns) {
  return {kSquareTile, Unit::kGroup ? kSquareTile : columns};
}
__device__ inline bool has_rows(int rows) {  // this warp
  return rows >= kSquareTile || 16 * warp_index() < rows;
}

/// 16 rows of a left factor: r[k][p] is part p of columns 16 k .. 16 k + 15, as mma.h wants them.
struct SplitRows {
  std::uint32_t r[kSquareTile / 16][2][4];
  float unit;  ///< what the parts are to be multiplied by
};

/// A right factor in shared memory.
struct SplitTile {
  F16* data;
  float unit;
};

// ---- splitting --------------------------------------------------------------------------------------------

/// The power of two that brings `largest` to [2^14, 2^15), and its inverse; below 2^-100 no further.
struct SplitScale {
  float factor, unit;
};
__device__ inline SplitScale split_scale(float largest) {
  const std::uint32_t exponent = max(27U, std::bit_cast<std::uint32_t>(largest) >> 23U);
  return {std::bit_cast<float>((268U - exponent) << 23U), std::bit_cast<float>((exponent - 14U) << 23U)};
}

__device__ inline float largest_of(const TileRows& x, int rows) {
  if (!has_rows(rows)) return 0;
  float largest = 0;
#pragma unroll
  for (int j = 0; j < kSquareTile / 8; ++j)
#pragma unroll
    for (int i = 0; i < 4; ++i) largest = fmaxf(largest, fabsf(x.x[j][i]));
  // Bits of floats without a sign have their order.
  return std::bit_cast<float>(__reduce_max_sync(kFullMask, std::bit_cast<std::uint32_t>(largest)));
}

__device__ inline void set_zero(std::uint32_t (&parts)[2][4]) {
#pragma unroll
  for (int i = 0; i < 4; ++i) parts[0][i] = parts[1][i] = 0;
}

__device__ inline SplitRows split(const TileRows& x, const SplitScale& scale, const Extent& extent) {
  SplitRows rows;
  rows.unit = scale.unit;
#pragma unroll
  for (int k = 0; k < kSquareTile / 16; ++k) {
    if (!has_rows(extent.rows) || 16 * k >= extent.columns) {
      set_zero(rows.r[k]);
      continue;
    }
#pragma unroll
    for (int i = 0; i < 4; ++i) {  // columns 2t, 2t + 1 (i < 2) or eight further; row g (i even) or g + 8
      const float x0 = x.x[2 * k + i / 2][i % 2 * 2] * scale.factor;
      const float x1 = x.x[2 * k + i / 2][i % 2 * 2 + 1] * scale.factor;
      float high0, high1;
      rows.r[k][0][i] = pack_f16(x0, x1);
      unpack_f16(rows.r[k][0][i], high0, high1);
      rows.r[k][1][i] = pack_f16(x0 - high0, x1 - high1);
    }
  }
  return rows;
}

/// A left factor that nobody else needs.
__device__ inline SplitRows split(const TileRows& x, const Extent& extent) {
  return split(x, split_scale(largest_of(x, extent.rows)), extent);
}

__device__ inline void put_word(F16* to, std::uint32_t word) {
#ifdef NYSTROM_EMULATION
  std::memcpy(to, &word, sizeof word);
#else
  *reinterpret_cast<std::uint32_t*>(to) = word;
#endif
}

/// This warp's rows of a tile.
__device__ inline void put_rows(F16* tile, const SplitRows& rows, const Extent& extent) {
  if (!has_rows(extent.rows)) return;
  const int row = 16 * warp_index() + lane_index() / 4, column = lane_index() % 4 * 2;
#pragma unroll
  for (int k = 0; k < kSquareTile / 16; ++k) {
    if (16 * k >= extent.columns) break;
#pragma unroll
    for (int p = 0; p < 2; ++p)
#pragma unroll
      for (int i = 0; i < 4; ++i)
        put_word(tile + p * kSplitPart + swizzled(row + i % 2 * 8, 16 * k + i / 2 * 8 + column),
                 rows.r[k][p][i]);
  }
}

/// All warps' rows as a factor in `tile`, whose readers may be at work until the call, and this warp's as a
/// left one. `maxima`: four floats. To be called by the whole block; ends with __syncthreads.
struct Published {
  SplitTile tile;
  SplitRows rows;
};
template <class Unit = ByWarp>
__device__ inline Published publish(const TileRows& x, F16* tile, float* maxima, const Extent& extent) {
  const float mine = largest_of(x, extent.rows);
  if (lane_index() == 0) maxima[warp_index()] = mine;
  __syncthreads();
  Published published;
  published.rows =
      split(x, split_scale(fmaxf(fmaxf(maxima[0], maxima[1]), fmaxf(maxima[2], maxima[3]))), extent);
  published.tile = {tile, published.rows.unit};
  put_rows(tile, published.rows, extent);
  if constexpr (Unit::kGroup) publish_tiles();
  __syncthreads();
  return published;
}

/// What the parts stand for.
__device__ inline TileRows joined(const SplitRows& rows) {
  TileRows x;
#pragma unroll
  for (int k = 0; k < kSquareTile / 16; ++k)
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      float high[2], low[2];
      unpack_f16(rows.r[k][0][i], high[0], high[1]);
      unpack_f16(rows.r[k][1][i], low[0], low[1]);
#pragma unroll
      for (int e = 0; e < 2; ++e) x.x[2 * k + i / 2][i % 2 * 2 + e] = (high[e] + low[e]) * rows.unit;
    }
  return x;
}

/// This warp's rows of a tile (kPlain), or of its transpose, as a left factor of this extent.
template <Lies kLies>
__device__ inline SplitRows rows_of_tile(const SplitTile& tile, const Extent& extent) {
  SplitRows rows;
  rows.unit = tile.unit;
  const int lane = lane_index(), first = 16 * warp_index();
#pragma unroll
  for (int k = 0; k < kSquareTile / 16; ++k) {
    if (!has_rows(extent.rows) || 16 * k >= extent.columns) {
      set_zero(rows.r[k]);
      continue;
    }
#pragma unroll
    for (int p = 0; p < 2; ++p) {
      const F16* const part = tile.data + p * kSplitPart;
      if constexpr (kLies == Lies::kPlain)
        load_matrices(rows.r[k][p], part + swizzled(first + (lane & 15), 16 * k + (lane >> 4) * 8));
      else
        load_matrices_transposed(rows.r[k][p], part + swizzled(16 * k + (lane >> 4) * 8 + (lane & 7),
                                                               first + ((lane >> 3) & 1) * 8));
    }
  }
  return rows;
}

// ---- products ---------------------------------------------------------------------------------------------

/// A tile, as it lies or transposed, as the left factor of all warps.
template <Lies kLiesOf>
struct LeftTile {
  static constexpr Lies kLies = kLiesOf;
  SplitTile tile;
};
template <Lies kLies = Lies::kPlain>
__device__ inline LeftTile<kLies> left(const SplitTile& tile) {
  return {tile};
}
/// What was published, from where Unit takes it; the tile must still hold it.
template <class Unit>
__device__ inline auto left_of(const Published& x) {
  if constexpr (Unit::kGroup)
    return left(x.tile);
  else
    return x.rows;
}

/// sums += factor a b.
template <Lies kRight>
__device__ inline void add_product_by_warp(TileRows& sums, float factor, const SplitRows& a,
                                           const SplitTile& b, const ProductExtent& extent) {
  if (!has_rows(extent.rows)) return;
  const int lane = lane_index(), upper = (lane >> 4) * 8, lower = ((lane >> 3) & 1) * 8, row = lane & 7;
  factor *= a.unit;
  factor *= b.unit;
#pragma unroll
  for (int n = 0; n < kSquareTile; n += 16) {
    if (n >= extent.columns) break;
    float large[2][4] = {}, small[2][4] = {};
#pragma unroll
    for (int k = 0; k < kSquareTile; k += 16) {
      if (k >= extent.inner) break;
      std::uint32_t right[2][4];
#pragma unroll
      for (int p = 0; p < 2; ++p) {
        const F16* const part = b.data + p * kSplitPart;
        if constexpr (kRight == Lies::kPlain)
          load_matrices_transposed(right[p], part + swizzled(k + lower + row, n + upper));
        else
          load_matrices(right[p], part + swizzled(n + upper + row, k + lower));
      }
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        multiply_add_f16(large[half], a.r[k / 16][0], right[0][2 * half], right[0][2 * half + 1]);
        multiply_add_f16(small[half], a.r[k / 16][0], right[1][2 * half], right[1][2 * half + 1]);
        multiply_add_f16(small[half], a.r[k / 16][1], right[0][2 * half], right[0][2 * half + 1]);
      }
    }
#pragma unroll
    for (int half = 0; half < 2; ++half)
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        float& sum = sums.x[n / 8 + half][i];
        sum = fmaf(factor, large[half][i] + small[half][i], sum);
      }
  }
}
template <Lies kRight, Lies kLeft>
__device__ inline void add_product_by_warp(TileRows& sums, float factor, const LeftTile<kLeft>& a,
                                           const SplitTile& b, const ProductExtent& extent) {
  add_product_by_warp<kRight>(sums, factor, rows_of_tile<kLeft>(a.tile, {extent.rows, extent.inner}), b,
                              extent);
}

/// sums += factor x, x being the sum of add(x, part of a, part of b, whether there is something in x) over
/// the parts that count. Small terms come first, so that as little is cut off as where large ones are summed
/// alone.
template <class Add>
__device__ inline void add_terms_by_group(TileRows& sums, float factor, const Add& add) {
  TileRows x;
  start_products(fresh(x.x));
  add(x.x, 0, 1, false);
  add(x.x, 1, 0, true);
  add(x.x, 0, 0, true);
  finish_products(x.x);
#pragma unroll
  for (int j = 0; j < kSquareTile / 8; ++j)
#pragma unroll
    for (int i = 0; i < 4; ++i) sums.x[j][i] = fmaf(factor, x.x[j][i], sums.x[j][i]);
}
template <Lies kRight>
__device__ inline void add_product_by_group(TileRows& sums, float factor, const SplitRows& a,
                                            const SplitTile& b) {
  constexpr Inner kInner = kInnerOfRight<kRight>;
  const TileDescriptor of_b = tile_descriptor(b.data);
  add_terms_by_group(sums, factor * a.unit * b.unit, [&](float(&x)[8][4], int p, int q, bool has) {
#pragma unroll
    for (int k = 0; k < kSquareTile / 16; ++k)
      add_group_product<F16, kInner>(x, a.r[k][p], of_b.part(q).from<kInner>(k), has || k > 0);
  });
}
template <Lies kRight, Lies kLeft>
__device__ inline void add_product_by_group(TileRows& sums, float factor, const LeftTile<kLeft>& a,
                                            const SplitTile& b) {
  constexpr Inner kLeftInner = kInnerOfLeft<kLeft>, kRightInner = kInnerOfRight<kRight>;
  const TileDescriptor of_a = tile_descriptor(a.tile.data), of_b = tile_descriptor(b.data);
  add_terms_by_group(sums, factor * a.tile.unit * b.unit, [&](float(&x)[8][4], int p, int q, bool has) {
#pragma unroll
    for (int k = 0; k < kSquareTile / 16; ++k)
      add_group_product<F16, kLeftInner, kRightInner>(x, of_a.part(p).from<kLeftInner>(k),
                                                      of_b.part(q).from<kRightInner>(k), has || k > 0);
  });
}

/// sums += factor a b; a: SplitRows or a LeftTile.
template <Lies kRight, class Unit = ByWarp, class Left>
__device__ inline void add_split_product(TileRows& sums, float factor, const Left& a, const SplitTile& b,
                                         const ProductExtent& extent) {
  if constexpr (Unit::kGroup)
    add_product_by_group<kRight>(sums, factor, a, b);
  else
    add_product_by_warp<kRight>(sums, factor, a, b, extent);
}
template <Lies kRight = Lies::kPlain, class Unit = ByWarp, class Left>
__device__ inline TileRows split_product(float factor, const Left& a, const SplitTile& b,
                                         const ProductExtent& extent) {
  TileRows sums;
  add_split_product<kRight, Unit>(sums, factor, a, b, extent);
  return sums;
}

// ---- matrices in memory -----------------------------------------------------------------------------------

/// A [rows, columns] matrix in memory, read as it lies or transposed.
struct MatrixView {
  const float* data;
  int rows, columns;
  int row_stride, column_stride;
};
__device__ inline MatrixView plain(const float* data, int rows, int columns) {
  return {data, rows, columns, columns, 1};
}
__device__ inline MatrixView transposed(const float* data, int rows,
                                        int columns) {  // of the matrix in memory
  return {data, columns, rows, 1, columns};
}

/// i, of which the compiler knows nothing: so it does not keep 32 addresses in registers from one use of a
/// matrix to the next.
__device__ inline int made_anew(int i) {
#ifndef NYSTROM_EMULATION
  asm volatile("" : "+r"(i));
#endif
  return i;
}

/// f(x, i, j) for the warp's elements of the tile at (i0, j0).
template <class F>
__device__ inline void for_each_at(TileRows& rows, int i0, int j0, const F& f) {
  const int first = made_anew(i0 + 16 * warp_index() + lane_index() / 4);
  for_each(rows, [&](float& x, int row, int column) { f(x, first + 8 * row, j0 + column); });
}

/// The elements of x from (i0, j0); zero beyond the matrix.
__device__ inline TileRows read_tile(const MatrixView& x, int i0, int j0) {
  TileRows rows;
  for_each_at(rows, i0, j0, [&](float& element, int i, int j) {
    if (i < x.rows && j < x.columns)
      element = x.data[static_cast<std::int64_t>(i) * x.row_stride + j * x.column_stride];
  });
  return rows;
}

/// Whether a matrix is a tile: its rows are read and written 8 bytes at a time, without looking for its end.
__device__ inline bool is_whole(int rows, int columns) {
  return rows == kSquareTile && columns == kSquareTile;
}
/// f(x0, x1, where) for each two neighbours of the warp's rows of a whole tile; `where` is their place.
template <class F>
__device__ inline void for_each_pair(TileRows& rows, const F& f) {
  const int first = made_anew((16 * warp_index() + lane_index() / 4) * kSquareTile + lane_index() % 4 * 2);
#pragma unroll
  for (int half = 0; half < 2; ++half)
#pragma unroll
    for (int j = 0; j < kSquareTile / 8; ++j)
      f(rows.x[j][2 * half], rows.x[j][2 * half + 1], first + half * 8 * kSquareTile + 8 * j);
}
/// 64 columns from `column` on of [rows, columns] without gaps; zero beyond.
__device__ inline TileRows read_rows(const float* from, int rows, int columns, int column = 0) {
  if (!is_whole(rows, columns)) return read_tile(plain(from, rows, columns), 0, column);
  TileRows x;
  for_each_pair(x, [&](float& x0, float& x1, int where) {
    const float2 pair = *reinterpret_cast<const float2*>(from + where);
    x0 = pair.x;
    x1 = pair.y;
  });
  return x;
}
/// The same back.
__device__ inline void write_rows(float* to, TileRows& x, int rows, int columns, int column = 0) {
  if (is_whole(rows, columns))
    for_each_pair(x, [&](float x0, float x1, int where) {
      *reinterpret_cast<float2*>(to + where) = make_float2(x0, x1);
    });
  else
    for_each_at(x, 0, column, [&](float element, int i, int j) {
      if (i < rows && j < columns) to[static_cast<std::int64_t>(i) * columns + j] = element;
    });
}

/// A tile and four maxima in shared memory, through which products of matrices in memory go.
struct SplitStage {
  F16* tile;
  float* maxima;
};

/// The tile (i0, j0) of a b. Begins and ends with __syncthreads.
__device__ inline TileRows staged_product(const MatrixView& a, const MatrixView& b, int i0, int j0,
                                          const SplitStage& stage) {
  TileRows sums;
  __syncthreads();
  for (int k = 0; k < a.columns; k += kSquareTile) {
    // All warps take part, or the compiler sees branches within one.
    const Extent left{kSquareTile, a.columns - k}, right{kSquareTile, b.columns - j0};
    const SplitTile factor = publish(read_tile(b, k, j0), stage.tile, stage.maxima, right).tile;
    add_split_product<Lies::kPlain>(sums, 1, split(read_tile(a, i0, k), left), factor, {left, right.columns});
  }
  __syncthreads();
  return sums;
}

/// f(element, i, j) for every element of a b.
template <class F>
__device__ inline void for_product(const MatrixView& a, const MatrixView& b, const SplitStage& stage,
                                   const F& f) {
  for (int i0 = 0; i0 < a.rows; i0 += kSquareTile)
    for (int j0 = 0; j0 < b.columns; j0 += kSquareTile) {
      TileRows sums = staged_product(a, b, i0, j0, stage);
      for_each_at(sums, i0, j0, [&](float x, int i, int j) {
        if (i < a.rows && j < b.columns) f(x, i, j);
      });
    }
}

}  // namespace nystrom::cuda
