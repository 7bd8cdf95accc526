#pragma once
// Landmark matrices A and Z_0 of one head, for forward and backward.

#include "kernels/cuda/attention/problem.h"
#include "kernels/cuda/attention/pseudo_inverse.h"

namespace nystrom::cuda {

/// The square matrices that a block works in, the two stages and 512 floats. Where kSmall there are kCount
/// tiles, at least three, and the stages are the third and fourth of them (with three: the second and third).
template <bool kSmall, int kCount>
struct SquareMemory {
  static constexpr int kTiles = kSmall ? (kCount < 3 ? 3 : kCount) : 2;
  static constexpr int kVectors = 512;
  static constexpr std::size_t bytes() { return (kTiles * kSquareElements + kVectors) * sizeof(float); }

  Squares<kSmall> squares;
  float* vectors;
  float* base;

  /// `slots`: [blocks, count, M, M], used where M > 64.
  __device__ SquareMemory(int m, float* slots, int count) {
    float* const shared = shared_memory<float>();
    vectors = shared + kTiles * kSquareElements;
    squares.m = m;
    squares.stages = shared + (kSmall ? (kTiles == 3 ? 1 : 2) : 0) * kSquareElements;
    base = kSmall ? shared : slots + static_cast<std::int64_t>(blockIdx.x) * count * m * m;
  }
  __device__ float* square(int i) const {
    return base + static_cast<std::int64_t>(i) * (kSmall ? kSquareElements : squares.m * squares.m);
  }
};

/// a = softmax(q~ k~^T / sqrt(D)), zero beyond m. Ends with __syncthreads.
template <bool kSmall>
__device__ inline void make_a(const Squares<kSmall>& squares, const AttentionProblem& problem,
                              const AttentionItem& item, const float* q_landmarks, const float* k_landmarks,
                              float* a) {
  const int m = problem.landmarks, width = problem.width, lane = lane_index();
  const std::int64_t at = static_cast<std::int64_t>(item.index) * m * width;
  __syncthreads();
  squares.zero(a);
  __syncthreads();
  for_product(plain(q_landmarks + at, m, width), transposed(k_landmarks + at, m, width), squares.stages,
              [&](int i, int j, float sum) { a[squares.at(i, j)] = sum * problem.scale; });
  __syncthreads();
  for (int i = warp_index(); i < m; i += kSquareThreads / kWarp) {
    float largest = -INFINITY, sum = 0;
    for (int j = lane; j < m; j += kWarp) largest = fmaxf(largest, a[squares.at(i, j)]);
    largest = warp_max(largest);
    for (int j = lane; j < m; j += kWarp) {
      const float e = expf(a[squares.at(i, j)] - largest);
      a[squares.at(i, j)] = e;
      sum += e;
    }
    const float inverse = 1.0F / warp_sum(sum);
    for (int j = lane; j < m; j += kWarp) a[squares.at(i, j)] *= inverse;
  }
  __syncthreads();
}

struct OneNorm {
  float value;
  int column;  ///< the first that has it
};

/// |a|_1, in every thread. `vectors`: 512 floats. Ends with __syncthreads.
template <bool kSmall>
__device__ inline OneNorm one_norm(const Squares<kSmall>& squares, const float* a, float* vectors) {
  const int m = squares.m;
  for (int j = static_cast<int>(threadIdx.x); j < m; j += kSquareThreads) {
    float sum = 0;
    for (int i = 0; i < m; ++i) sum += a[squares.at(i, j)];
    vectors[j] = sum;
  }
  __syncthreads();
  OneNorm norm{0, 0};  // each warp looks for itself
  for (int j = lane_index(); j < m; j += kWarp)
    if (vectors[j] > norm.value) norm = {vectors[j], j};
  for (int lanes = kWarp / 2; lanes > 0; lanes /= 2) {
    const float value = __shfl_xor_sync(kFullMask, norm.value, lanes);
    const int column = __shfl_xor_sync(kFullMask, norm.column, lanes);
    if (value > norm.value || (value == norm.value && column < norm.column)) norm = {value, column};
  }
  __syncthreads();
  return norm;
}

/// z = a^T / scale, zero beyond m. To be followed by __syncthreads.
template <bool kSmall>
__device__ inline void first_iterate(const Squares<kSmall>& squares, const float* a, float scale, float* z) {
  const float factor = 1.0F / scale;
  squares.for_each([&](int i, int j) { z[squares.at(i, j)] = factor * a[squares.at(j, i)]; });
}

}  // namespace nystrom::cuda
