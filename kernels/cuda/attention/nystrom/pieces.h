#pragma once
// Sums of a head from pieces that were computed apart, by chunks or by ranks: the third softmax, softmax(q~
// k^T / sqrt(D)) v, and gradients of [M, D].

#include "kernels/cuda/attention/problem.h"

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

/// Pieces of a sum [M, D] of one head, `stride` elements apart, to be added up in order.
struct SumPieces {
  const float* first;
  std::int64_t stride;
  int count;
};

/// Those of the chunks of the rows here, of parts [B, H, chunks, M, D].
__device__ inline SumPieces chunks_of(const AttentionProblem& problem, const AttentionItem& item,
                                      const float* parts) {
  const std::int64_t size = static_cast<std::int64_t>(problem.landmarks) * problem.width;
  return {parts + static_cast<std::int64_t>(item.index) * problem.max_chunks * size, size,
          attention_chunks(item.rows)};
}

/// Those of the ranks, of sum `which` of `count` in pieces [sequences, kMaxSequenceRanks, H, count, M, D].
__device__ inline SumPieces ranks_of(const AttentionProblem& problem, const AttentionItem& item,
                                     const float* pieces, int which, int count) {
  const std::int64_t size = static_cast<std::int64_t>(problem.landmarks) * problem.width,
                     stride = problem.heads * count * size;
  return {pieces + item.split * kMaxSequenceRanks * stride +
              (static_cast<std::int64_t>(item.head) * count + which) * size,
          stride, split_of(problem, item).pieces};
}

/// stats [M, 2] = maximum and 1 / sum, sums [M, D] = weighted mean of the pieces together, added up in order.
/// By the whole block; ends with __syncthreads.
__device__ inline void merge_softmax(const AttentionProblem& problem, const SoftmaxPieces& pieces,
                                     float* stats, float* sums) {
  const int m = problem.landmarks, width = problem.width, threads = static_cast<int>(blockDim.x);
  const auto stat = [&](int piece, int j) { return pieces.stats + piece * pieces.stats_stride + 2 * j; };
  for (int j = static_cast<int>(threadIdx.x); j < m; j += threads) {
    float largest = -INFINITY, sum = 0;
    for (int p = 0; p < pieces.count; ++p) largest = fmaxf(largest, stat(p, j)[0]);
    for (int p = 0; p < pieces.count; ++p) sum = fmaf(expf(stat(p, j)[0] - largest), stat(p, j)[1], sum);
    stats[2 * j] = largest;
    stats[2 * j + 1] = 1.0F / sum;
  }
  __syncthreads();
  for (int e = static_cast<int>(threadIdx.x); e < m * width; e += threads) {
    const int j = e / width;
    float sum = 0;
    for (int p = 0; p < pieces.count; ++p)
      sum = fmaf(expf(stat(p, j)[0] - stats[2 * j]), pieces.sums[p * pieces.stride + e], sum);
    sums[e] = sum * stats[2 * j + 1];
  }
  __syncthreads();
}

}  // namespace nystrom::cuda
