#pragma once
// Products of small fp32 matrices by one block, and the pseudo-inverse on them: true fp32 multiply-adds,
// since the errors of bf16 or TF32 do not shrink with the steps. A thread computes 8 x 4 elements of a 64 x
// 64 tile: rows r + 8 i, columns 4 c .. 4 c + 3 with r = thread / 16, c = thread % 16.
//
// Square matrices [M, M] live in shared memory where M <= 64 (one tile, swizzled: 16 KiB each), otherwise in
// the block's slot of the workspace, from which products go through two tiles in shared memory.

#include "kernels/tensor/cuda/device_code.h"

namespace nystrom::cuda {

inline constexpr int kSquareThreads = 128;
inline constexpr int kSquareTile = 64;
inline constexpr int kSquareElements = kSquareTile * kSquareTile;

/// Element (i, j) of a tile: four columns stay together, and move with the row, so that a column of fours
/// meets different banks.
__device__ inline int swizzled(int i, int j) {
  return i * kSquareTile + (((j >> 2) ^ (i & 7)) << 2) + (j & 3);
}

/// The part of a tile of a product that a thread holds.
struct TileSums {
  float x[8][4] = {};
};
__device__ inline int square_row(int i) {
  return static_cast<int>(threadIdx.x) / 16 + 8 * i;
}
__device__ inline int square_column() {
  return static_cast<int>(threadIdx.x) % 16 * 4;
}

/// sums += a b over [64, inner] [inner, 64] of two tiles in shared memory; inner a multiple of 4.
__device__ inline void add_tiles(TileSums& sums, const float* a, const float* b, int inner) {
  const int column = square_column();
#pragma unroll 2
  for (int k = 0; k < inner; k += 4) {
    float4 left[8], right[4];
#pragma unroll
    for (int i = 0; i < 8; ++i) left[i] = *reinterpret_cast<const float4*>(a + swizzled(square_row(i), k));
#pragma unroll
    for (int q = 0; q < 4; ++q) right[q] = *reinterpret_cast<const float4*>(b + swizzled(k + q, column));
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      const float l[4] = {left[i].x, left[i].y, left[i].z, left[i].w};
#pragma unroll
      for (int q = 0; q < 4; ++q) {
        sums.x[i][0] = fmaf(l[q], right[q].x, sums.x[i][0]);
        sums.x[i][1] = fmaf(l[q], right[q].y, sums.x[i][1]);
        sums.x[i][2] = fmaf(l[q], right[q].z, sums.x[i][2]);
        sums.x[i][3] = fmaf(l[q], right[q].w, sums.x[i][3]);
      }
    }
  }
}

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

/// tile = the 64 x 64 elements of x from (i0, j0); zero beyond the matrix. Neighbouring threads take
/// neighbouring addresses.
__device__ inline void stage(float* tile, const MatrixView& x, int i0, int j0) {
  for (int e = static_cast<int>(threadIdx.x); e < kSquareElements; e += kSquareThreads) {
    const int slow = e / kSquareTile, fast = e % kSquareTile;
    const int i = x.column_stride == 1 ? slow : fast, j = x.column_stride == 1 ? fast : slow;
    const bool inside = i0 + i < x.rows && j0 + j < x.columns;
    tile[swizzled(i, j)] =
        inside ? x.data[static_cast<std::int64_t>(i0 + i) * x.row_stride + (j0 + j) * x.column_stride] : 0.0F;
  }
}

/// The tile (i0, j0) of a b, by way of two tiles of shared memory. Ends with __syncthreads.
__device__ inline TileSums staged_tile(const MatrixView& a, const MatrixView& b, int i0, int j0,
                                       float* stages) {
  TileSums sums;
  for (int k = 0; k < a.columns; k += kSquareTile) {
    __syncthreads();
    stage(stages, a, i0, k);
    stage(stages + kSquareElements, b, k, j0);
    __syncthreads();
    add_tiles(sums, stages, stages + kSquareElements, min(kSquareTile, (a.columns - k + 3) / 4 * 4));
  }
  __syncthreads();
  return sums;
}

/// f(i, j, element) for every element of a b.
template <class F>
__device__ inline void for_product(const MatrixView& a, const MatrixView& b, float* stages, const F& f) {
  for (int i0 = 0; i0 < a.rows; i0 += kSquareTile)
    for (int j0 = 0; j0 < b.columns; j0 += kSquareTile) {
      const TileSums sums = staged_tile(a, b, i0, j0, stages);
#pragma unroll
      for (int i = 0; i < 8; ++i)
#pragma unroll
        for (int j = 0; j < 4; ++j) {
          const int row = i0 + square_row(i), column = j0 + square_column() + j;
          if (row < a.rows && column < b.columns) f(row, column, sums.x[i][j]);
        }
    }
}

/// Square matrices of one block.
template <bool kSmall>
struct Squares {
  int m;
  float*
      stages;  ///< two tiles of shared memory; where kSmall they are free between products of other matrices

  __device__ int at(int i, int j) const { return kSmall ? swizzled(i, j) : i * m + j; }

  /// f(i, j) for i, j < m, and where kSmall also for those up to the next multiple of four (which must stay
  /// zero).
  template <class F>
  __device__ void for_each(const F& f) const {
    const int end = kSmall ? kSquareTile : m;
    for (int e = static_cast<int>(threadIdx.x); e < end * end; e += kSquareThreads) f(e / end, e % end);
  }

  struct Product {
    const float *a, *b;
    float alpha = 1;
    const float* x = nullptr;  ///< + beta x
    float beta = 0;
    const float* y = nullptr;  ///< + gamma y
    float gamma = 0;
    float diagonal = 0;  ///< + diagonal I
  };
  /// c = alpha a b + beta x + gamma y + diagonal I. Where kSmall c may be any of them, otherwise x or y.
  /// Begins with what was written before a __syncthreads, ends with one.
  __device__ void product(float* c, const Product& p) const {
    for (int i0 = 0; i0 < m; i0 += kSquareTile)
      for (int j0 = 0; j0 < m; j0 += kSquareTile) {
        TileSums sums;
        if constexpr (kSmall) {
          add_tiles(sums, p.a, p.b, (m + 3) / 4 * 4);
        } else {
          sums = staged_tile(plain(p.a, m, m), plain(p.b, m, m), i0, j0, stages);
        }
#pragma unroll
        for (int i = 0; i < 8; ++i)
#pragma unroll
          for (int j = 0; j < 4; ++j) {
            const int row = i0 + square_row(i), column = j0 + square_column() + j;
            float& sum = sums.x[i][j];
            if (row >= m || column >= m) continue;
            sum *= p.alpha;
            if (p.x != nullptr) sum = fmaf(p.beta, p.x[at(row, column)], sum);
            if (p.y != nullptr) sum = fmaf(p.gamma, p.y[at(row, column)], sum);
            if (row == column) sum += p.diagonal;
          }
        __syncthreads();
#pragma unroll
        for (int i = 0; i < 8; ++i)
#pragma unroll
          for (int j = 0; j < 4; ++j) {
            const int row = i0 + square_row(i), column = j0 + square_column() + j;
            if (row < m && column < m) c[at(row, column)] = sums.x[i][j];
          }
      }
    __syncthreads();
  }

  __device__ void zero(float* x) const {
    for_each([&](int i, int j) { x[at(i, j)] = 0; });
  }

  /// X = A Z, T2 = 15 I - X (7 I - X), and T3 = 13 I - X T2, of one step; t3 may be t2 where kSmall.
  __device__ void step(const float* a, const float* z, float* x, float* t2, float* t3) const {
    product(x, {.a = a, .b = z});
    product(t2, {.a = x, .b = x, .x = x, .beta = -7, .diagonal = 15});
    product(t3, {.a = x, .b = t2, .alpha = -1, .diagonal = 13});
  }
};

}  // namespace nystrom::cuda
