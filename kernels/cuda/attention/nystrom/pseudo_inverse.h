#pragma once
// The pseudo-inverse of square matrices [M, M] by one block, in products of split_products.h. Up to M = 64
// its iterates live in registers (16 rows a warp) and as factors in shared memory; larger ones live in the
// block's slot of the workspace, and are multiplied tile by tile.

#include "kernels/cuda/attention/nystrom/split_products.h"

namespace nystrom::cuda {

// ---- M <= 64 ----------------------------------------------------------------------------------------------

/// M, and from where on tiles are left out (Extent): M, or 64, which the compiler knows.
struct SquareSize {
  int m, extent;
};
/// Nothing of a tile can be left out.
inline bool is_full(std::int64_t m) {
  return m > kSquareTile - 16;
}
template <bool kFull>  // is_full(m)
__device__ inline SquareSize square_size(int m) {
  return {m, kFull ? kSquareTile : m};
}

__device__ inline void add_to_diagonal(TileRows& x, float value, int m) {
  for_each_at(x, 0, 0, [&](float& element, int i, int j) {
    if (i == j && i < m) element += value;
  });
}

/// x [M, M] into memory, or from there.
__device__ inline void write_square(float* to, TileRows& x, int m) {
  write_rows(to, x, m, m);
}
__device__ inline TileRows read_square(const float* from, int m) {
  return read_rows(from, m, m);
}

/// Z_0 = A^T / scale in `tile`: the parts of A as they are. To be called when all of A is there and `tile` is
/// free; ends with __syncthreads.
template <class Unit = ByWarp>
__device__ inline SplitTile first_iterate(const SplitTile& a, float scale, F16* tile, int extent) {
  put_rows(tile, rows_of_tile<Lies::kTransposed>(a, extent), extent);
  if constexpr (Unit::kGroup) publish_tiles();
  __syncthreads();
  return {tile, a.unit / scale};
}

/// T2 = 15 I - X (7 I - X)
template <class Unit = ByWarp>
__device__ inline TileRows second_term(TileRows x, const Published& factor, const SquareSize& size) {
  for_each(x, [](float& element, int, int) { element *= -7.0F; });
  add_split_product<Lies::kPlain, Unit>(x, 1, left_of<Unit>(factor), factor.tile, size.extent);
  add_to_diagonal(x, 15, size.m);
  return x;
}
/// T3 = 13 I - X T2
template <class Unit = ByWarp, class Left>
__device__ inline TileRows third_term(const Left& x, const SplitTile& t2, const SquareSize& size) {
  TileRows t3 = split_product<Lies::kPlain, Unit>(-1, x, t2, size.extent);
  add_to_diagonal(t3, 13, size.m);
  return t3;
}

/// The next iterate, Z (13 I - A Z (15 I - A Z (7 I - A Z))) / 4. `tile` is overwritten.
template <class Unit = ByWarp>
__device__ inline TileRows next_iterate(const SplitTile& a, const SplitTile& z, F16* tile, float* maxima,
                                        const SquareSize& size) {
  const int extent = size.extent;
  const TileRows x = split_product<Lies::kPlain, Unit>(1, left(a), z, extent);
  const Published x_factor = publish<Unit>(x, tile, maxima, extent);
  const SplitTile t2 = publish<Unit>(second_term<Unit>(x, x_factor, size), tile, maxima, extent).tile;
  const SplitTile t3 = publish<Unit>(third_term<Unit>(x_factor.rows, t2, size), tile, maxima, extent).tile;
  return split_product<Lies::kPlain, Unit>(0.25F, left(z), t3, extent);
}

// ---- any M ------------------------------------------------------------------------------------------------

struct SquareProduct {
  const float *a, *b;
  float alpha = 1;
  const float* x = nullptr;  ///< + beta x
  float beta = 0;
  const float* y = nullptr;  ///< + gamma y
  float gamma = 0;
  float diagonal = 0;  ///< + diagonal I
};
/// c = alpha a b + beta x + gamma y + diagonal I of matrices [m, m] in memory; c may be x or y. Begins and
/// ends with __syncthreads. A separate function, since a kernel calls it a dozen times.
__device__ __attribute__((noinline)) inline void square_product(int m, SplitStage stage, float* c,
                                                                SquareProduct p) {
  for_product(plain(p.a, m, m), plain(p.b, m, m), stage, [&](float sum, int i, int j) {
    const int at = i * m + j;
    sum *= p.alpha;
    if (p.x != nullptr) sum = fmaf(p.beta, p.x[at], sum);
    if (p.y != nullptr) sum = fmaf(p.gamma, p.y[at], sum);
    c[at] = i == j ? sum + p.diagonal : sum;
  });
  __syncthreads();
}

/// Square matrices of one block in memory.
struct Squares {
  int m;
  SplitStage stage;

  __device__ void product(float* c, const SquareProduct& p) const { square_product(m, stage, c, p); }

  /// f(i, j) for i, j < m.
  template <class F>
  __device__ void for_each(const F& f) const {
    for (int e = static_cast<int>(threadIdx.x); e < m * m; e += kSquareThreads) f(e / m, e % m);
  }

  __device__ void zero(float* x) const {
    for_each([&](int i, int j) { x[i * m + j] = 0; });
  }

  /// z = a^T / scale. To be followed by __syncthreads.
  __device__ void first_iterate(const float* a, float scale, float* z) const {
    const float factor = 1.0F / scale;
    for_each([&](int i, int j) { z[i * m + j] = factor * a[j * m + i]; });
  }

  /// X = A Z, T2 = 15 I - X (7 I - X), and T3 = 13 I - X T2, of one step.
  __device__ void step(const float* a, const float* z, float* x, float* t2, float* t3) const {
    product(x, {.a = a, .b = z});
    product(t2, {.a = x, .b = x, .x = x, .beta = -7, .diagonal = 15});
    product(t3, {.a = x, .b = t2, .alpha = -1, .diagonal = 13});
  }
};

}  // namespace nystrom::cuda
