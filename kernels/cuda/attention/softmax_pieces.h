#pragma once
// The third softmax of a head, softmax(q~ k^T / sqrt(D)) v, from pieces that were computed apart.

#include "kernels/cuda/attention/problem.h"
#include "kernels/cuda/attention/split_products.h"

namespace nystrom::cuda {

/// Pieces of one head, each relative to its own maxima.
struct SoftmaxPieces {
  const float* sums;   ///< [count, M, D], `stride` elements apart
  const float* stats;  ///< [count, M, 2] maximum and sum, `stats_stride` apart
  std::int64_t stride, stats_stride;
  int count;
};

/// Those of the chunks of the rows here.
__device__ inline SoftmaxPieces chunks_of(const AttentionProblem& problem, const AttentionItem& item,
                                          const float* parts, const float* part_stats) {
  const std::int64_t m = problem.landmarks, md = m * problem.width;
  const std::int64_t first = static_cast<std::int64_t>(item.index) * problem.max_chunks;
  return {parts + first * md, part_stats + first * m * 2, md, 2 * m, attention_chunks(item.rows)};
}

/// Those of the ranks that have rows of a split sequence, in pieces [sequences, kMaxSequenceRanks, H, M (D +
/// 2)].
__device__ inline SoftmaxPieces ranks_of(const AttentionProblem& problem, const AttentionItem& item,
                                         const float* pieces) {
  const std::int64_t m = problem.landmarks, size = m * (problem.width + 2), stride = problem.heads * size;
  const float* const first = pieces + item.split * kMaxSequenceRanks * stride + item.head * size;
  return {first, first + m * problem.width, stride, stride, split_of(problem, item).pieces};
}

/// stats [M, 2], sums [M, D] = the pieces together, added up in order. As a piece: maximum, sum, weighted
/// sums; `finished`: maximum, 1 / sum, weighted mean. By the whole block; ends with __syncthreads.
__device__ inline void merge_softmax(const AttentionProblem& problem, const SoftmaxPieces& pieces,
                                     bool finished, float* stats, float* sums) {
  const int m = problem.landmarks, width = problem.width, threads = static_cast<int>(blockDim.x);
  const auto stat = [&](int piece, int j) { return pieces.stats + piece * pieces.stats_stride + 2 * j; };
  for (int j = static_cast<int>(threadIdx.x); j < m; j += threads) {
    float largest = -INFINITY, sum = 0;
    for (int p = 0; p < pieces.count; ++p) largest = fmaxf(largest, stat(p, j)[0]);
    for (int p = 0; p < pieces.count; ++p) sum += expf(stat(p, j)[0] - largest) * stat(p, j)[1];
    stats[2 * j] = largest;
    stats[2 * j + 1] = finished ? 1.0F / sum : sum;
  }
  __syncthreads();
  for (int e = static_cast<int>(threadIdx.x); e < m * width; e += threads) {
    const int j = e / width;
    float sum = 0;
    for (int p = 0; p < pieces.count; ++p)
      sum += expf(stat(p, j)[0] - stats[2 * j]) * pieces.sums[p * pieces.stride + e];
    sums[e] = finished ? sum * stats[2 * j + 1] : sum;
  }
  __syncthreads();
}

/// The same, finished, for M <= 64 of the warp's rows, which are returned: 64 columns from `column` on.
__device__ inline TileRows merged_rows(const AttentionProblem& problem, const SoftmaxPieces& pieces,
                                       int column, float* stats, float* sums) {
  const int m = problem.landmarks, width = problem.width, first = 16 * warp_index() + lane_index() / 4;
  const auto stat = [&](int piece, int half) {
    return pieces.stats + piece * pieces.stats_stride + 2 * min(first + 8 * half, m - 1);
  };
  float largest[2], inverse[2];
  for (int half = 0; half < 2; ++half) {
    largest[half] = -INFINITY;
    float sum = 0;
    for (int p = 0; p < pieces.count; ++p) largest[half] = fmaxf(largest[half], stat(p, half)[0]);
    for (int p = 0; p < pieces.count; ++p) sum += expf(stat(p, half)[0] - largest[half]) * stat(p, half)[1];
    inverse[half] = 1.0F / sum;
    if (lane_index() % 4 != 0 || first + 8 * half >= m) continue;
    stats[2 * (first + 8 * half)] = largest[half];
    stats[2 * (first + 8 * half) + 1] = inverse[half];
  }
  TileRows merged;
  for (int p = 0; p < pieces.count; ++p) {
    const float factors[2] = {expf(stat(p, 0)[0] - largest[0]), expf(stat(p, 1)[0] - largest[1])};
    const TileRows piece = read_rows(pieces.sums + p * pieces.stride, m, width, column);
#pragma unroll
    for (int j = 0; j < kSquareTile / 8; ++j)
#pragma unroll
      for (int i = 0; i < 4; ++i) merged.x[j][i] = fmaf(factors[i / 2], piece.x[j][i], merged.x[j][i]);
  }
  for_each(merged, [&](float& x, int half, int) { x *= inverse[half]; });
  write_rows(sums, merged, m, width, column);
  return merged;
}

}  // namespace nystrom::cuda
