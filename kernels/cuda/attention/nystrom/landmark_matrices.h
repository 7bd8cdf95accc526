#pragma once
// Landmark matrices A of one head and their norms, for forward and backward.

#include "kernels/cuda/attention/nystrom/pseudo_inverse.h"
#include "kernels/cuda/attention/problem.h"

namespace nystrom::cuda {

/// Shared memory of a block: kTiles factors of 64 x 64, the first of which is also the stage of products of
/// matrices in memory, and vectors.
template <int kTiles>
struct SquareMemory {
  static constexpr int kVectors = 512;
  static constexpr std::size_t bytes() { return kTiles * kSplitTileBytes + (kVectors + 4) * sizeof(float); }

  F16* tiles = shared_memory<F16>();
  float* vectors = shared_memory<float>() + kTiles * (kSplitTileBytes / 4);
  float* maxima = vectors + kVectors;

  __device__ F16* tile(int i) const { return tiles + i * 2 * kSplitPart; }
  __device__ SplitStage stage() const { return {tile(0), maxima}; }
};

// ---- A = softmax(q~ k~^T / sqrt(D)) -----------------------------------------------------------------------

/// M <= 64: this warp's rows, zero beyond m. Begins and ends with __syncthreads.
template <class Unit = ByWarp>
__device__ inline TileRows make_small_a(const AttentionProblem& problem, const AttentionItem& item,
                                        const float* q_landmarks, const float* k_landmarks,
                                        const SplitStage& stage) {
  const int m = problem.landmarks, width = problem.width;
  const std::int64_t at = static_cast<std::int64_t>(item.index) * m * width;
  TileRows a;
  __syncthreads();
  for (int column = 0; column < width; column += kSquareTile) {
    const Extent extent = columns_of<Unit>(width - column);
    const SplitTile k =
        publish<Unit>(read_rows(k_landmarks + at, m, width, column), stage.tile, stage.maxima, extent).tile;
    add_split_product<Lies::kTransposed, Unit>(
        a, 1, split(read_rows(q_landmarks + at, m, width, column), extent), k, {extent, kSquareTile});
  }
  __syncthreads();
  float largest[2] = {-INFINITY, -INFINITY}, sums[2] = {0, 0};
  for_each(a, [&](float& x, int row, int column) {
    x = column < m ? x * problem.scale : -INFINITY;
    largest[row] = fmaxf(largest[row], x);
  });
  for (float& x : largest) x = quad_max(x);
  for_each(a, [&](float& x, int row, int) {
    x = expf(x - largest[row]);
    sums[row] += x;
  });
  for (int row = 0; row < 2; ++row) {
    const bool inside = 16 * warp_index() + lane_index() / 4 + 8 * row < m;
    const float sum = quad_sum(sums[row]);
    sums[row] = inside ? 1.0F / sum : 0.0F;
  }
  for_each(a, [&](float& x, int row, int) { x *= sums[row]; });
  return a;
}

/// Any M, into memory. Begins and ends with __syncthreads.
__device__ inline void make_a(const AttentionProblem& problem, const AttentionItem& item,
                              const float* q_landmarks, const float* k_landmarks, const SplitStage& stage,
                              float* a) {
  const int m = problem.landmarks, width = problem.width, lane = lane_index();
  const std::int64_t at = static_cast<std::int64_t>(item.index) * m * width;
  for_product(plain(q_landmarks + at, m, width), transposed(k_landmarks + at, m, width), stage,
              [&](float sum, int i, int j) { a[i * m + j] = sum * problem.scale; });
  __syncthreads();
  for (int i = warp_index(); i < m; i += kSquareThreads / kWarp) {
    float* const row = a + i * m;
    float largest = -INFINITY, sum = 0;
    for (int j = lane; j < m; j += kWarp) largest = fmaxf(largest, row[j]);
    largest = warp_max(largest);
    for (int j = lane; j < m; j += kWarp) {
      row[j] = expf(row[j] - largest);
      sum += row[j];
    }
    const float inverse = 1.0F / warp_sum(sum);
    for (int j = lane; j < m; j += kWarp) row[j] *= inverse;
  }
  __syncthreads();
}

// ---- |A|_1 ------------------------------------------------------------------------------------------------

struct OneNorm {
  float value;
  int column;  ///< the first that has it
};

/// The largest of sums [m], in every thread. Ends with __syncthreads.
__device__ inline OneNorm largest_column(const float* sums, int m) {
  OneNorm norm{0, 0};  // each warp looks for itself
  for (int j = lane_index(); j < m; j += kWarp)
    if (sums[j] > norm.value) norm = {sums[j], j};
  for (int lanes = kWarp / 2; lanes > 0; lanes /= 2) {
    const float value = __shfl_xor_sync(kFullMask, norm.value, lanes);
    const int column = __shfl_xor_sync(kFullMask, norm.column, lanes);
    if (value > norm.value || (value == norm.value && column < norm.column)) norm = {value, column};
  }
  __syncthreads();
  return norm;
}

/// M <= 64, of the warps' rows. `vectors`: 320 floats. Ends with __syncthreads.
__device__ inline OneNorm one_norm(const TileRows& a, float* vectors, int m) {
  float* const sums = vectors + 4 * kSquareTile;
#pragma unroll
  for (int j = 0; j < kSquareTile / 8; ++j)
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      float sum = a.x[j][half] + a.x[j][2 + half];
      for (int lanes = 4; lanes < kWarp; lanes *= 2) sum += __shfl_xor_sync(kFullMask, sum, lanes);
      if (lane_index() < 4) vectors[warp_index() * kSquareTile + 8 * j + 2 * lane_index() + half] = sum;
    }
  __syncthreads();
  for (int j = static_cast<int>(threadIdx.x); j < kSquareTile; j += kSquareThreads)
    sums[j] =
        vectors[j] + vectors[kSquareTile + j] + (vectors[2 * kSquareTile + j] + vectors[3 * kSquareTile + j]);
  __syncthreads();
  return largest_column(sums, m);
}

/// Any M, of A in memory. `vectors`: M floats. Ends with __syncthreads.
__device__ inline OneNorm one_norm(const float* a, float* vectors, int m) {
  for (int j = static_cast<int>(threadIdx.x); j < m; j += kSquareThreads) {
    float sum = 0;
    for (int i = 0; i < m; ++i) sum += a[i * m + j];
    vectors[j] = sum;
  }
  __syncthreads();
  return largest_column(vectors, m);
}

}  // namespace nystrom::cuda
