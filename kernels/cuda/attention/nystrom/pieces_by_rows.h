#pragma once
// Pieces of a head's softmax or sums put together by several blocks, each of which has some rows.

#include "kernels/cuda/attention/nystrom/pieces.h"

namespace nystrom::cuda {

constexpr int kPieceThreads = 128, kPieceRows = 8;
/// Blocks of a multiprocessor: no more, so that a thread has registers for the loads of eight pieces.
constexpr int kPieceBlocks = 8;
/// Elements of a block, four a thread: 8 rows of heads of 64.
constexpr int kPieceElements = 4 * kPieceThreads;

/// Shared memory of merge_piece_rows.
constexpr std::size_t merge_piece_bytes(int pieces) {
  return (2 * static_cast<std::size_t>(pieces) + kPieceThreads / kWarp) * kPieceRows * sizeof(float);
}

/// Rows [first, first + 8) of stats [M, 2] and sums [M, D] = the pieces together, added up in order, as a
/// piece: maximum, sum, weighted sums. They may take the place of the first piece.
__device__ inline void merge_piece_rows(const AttentionProblem& problem, const SoftmaxPieces& pieces,
                                        int first, float* stats, float* sums) {
  const int rows = min(kPieceRows, problem.landmarks - first),
            row = static_cast<int>(threadIdx.x) % kPieceRows;
  const int count = pieces.count * kPieceRows;
  float* const factors = shared_memory<float>();  // [pieces, 8]: maxima, then by what a piece is multiplied
  float* const weights = factors + count;         // [pieces, 8]
  float* const maxima = weights + count;          // [warps, 8]
  float largest = -INFINITY;
  for (int i = static_cast<int>(threadIdx.x); i < count; i += kPieceThreads) {
    const float* const from = pieces.stats + i / kPieceRows * pieces.stats_stride + 2 * (first + row);
    factors[i] = row < rows ? from[0] : 0.0F;
    weights[i] = row < rows ? from[1] : 0.0F;
    largest = fmaxf(largest, factors[i]);
  }
  for (int lanes = kPieceRows; lanes < kWarp; lanes *= 2)
    largest = fmaxf(largest, __shfl_xor_sync(kFullMask, largest, lanes));
  if (lane_index() < kPieceRows) maxima[warp_index() * kPieceRows + row] = largest;
  __syncthreads();
  for (int w = 0; w < kPieceThreads / kWarp; ++w) largest = fmaxf(largest, maxima[w * kPieceRows + row]);
  for (int i = static_cast<int>(threadIdx.x); i < count; i += kPieceThreads)
    factors[i] = expf(factors[i] - largest);
  __syncthreads();
  if (static_cast<int>(threadIdx.x) < rows) {
    float sum = 0;
    for (int i = row; i < count; i += kPieceRows) sum = fmaf(factors[i], weights[i], sum);
    stats[2 * (first + row)] = largest;
    stats[2 * (first + row) + 1] = sum;
  }
  const int width = problem.width;
  for (int e = 4 * static_cast<int>(threadIdx.x); e < rows * width; e += kPieceElements) {
    const float* from = pieces.sums + first * width + e;
    const float* factor = factors + e / width;
    float4 sum = make_float4(0, 0, 0, 0);
#pragma unroll 8
    for (int p = 0; p < pieces.count; ++p, from += pieces.stride, factor += kPieceRows) {
      const float4 x = *reinterpret_cast<const float4*>(from);
      sum = make_float4(fmaf(*factor, x.x, sum.x), fmaf(*factor, x.y, sum.y), fmaf(*factor, x.z, sum.z),
                        fmaf(*factor, x.w, sum.w));
    }
    auto* const to = reinterpret_cast<float2*>(sums + first * width + e);  // of a rank's piece: at 8 bytes
    to[0] = make_float2(sum.x, sum.y);
    to[1] = make_float2(sum.z, sum.w);
  }
}

/// Elements [512 block, 512 (block + 1)) of to [size] = the pieces' sum, in order. It may be the first piece.
__device__ inline void add_piece_elements(const SumPieces& pieces, int block, int size, float* to) {
  const int e = block * kPieceElements + 4 * static_cast<int>(threadIdx.x);
  if (e >= size) return;
  const float* from = pieces.first + e;
  float4 sum = *reinterpret_cast<const float4*>(from);
#pragma unroll 8
  for (int p = 1; p < pieces.count; ++p) {
    from += pieces.stride;
    const float4 x = *reinterpret_cast<const float4*>(from);
    sum = make_float4(sum.x + x.x, sum.y + x.y, sum.z + x.z, sum.w + x.w);
  }
  *reinterpret_cast<float4*>(to + e) = sum;
}

}  // namespace nystrom::cuda
