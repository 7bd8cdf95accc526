#pragma once
// What a block does for a head between the passes over the sequence in Nystrom attention's forward, and for
// M <= 64 the kernel: A, the pseudo-inverse with its iterates, k3 v from its chunks, and W.

#include "kernels/cuda/attention/nystrom/landmark_matrices.h"
#include "kernels/cuda/attention/nystrom/landmarks.h"
#include "kernels/cuda/attention/nystrom/pieces.h"

namespace nystrom::cuda {

/// The chunks' parts of k3 v, or the ranks'.
__device__ inline SoftmaxPieces pieces_of(const NystromMiddle& args, const AttentionItem& item) {
  if (item.split >= 0) return ranks_of(args.problem, item, args.softmaxes);
  SoftmaxPieces pieces = chunks_of(args.problem, item, args.parts, args.part_stats);
  if (args.merged) pieces.count = 1;
  return pieces;
}

/// The largest norm of the call.
__device__ inline float largest_norm(const float* norms, int items, float* shared) {
  float largest = 0;
  for (int i = static_cast<int>(threadIdx.x); i < items; i += kSquareThreads)
    largest = fmaxf(largest, norms[2 * i]);
  return block_max(largest, shared);
}

/// Keeps the norm of a head for backward.
__device__ inline void write_norm(const NystromMiddle& args, int index, const OneNorm& norm) {
  if (threadIdx.x != 0) return;
  args.norms[2 * index] = norm.value;
  args.norms[2 * index + 1] = static_cast<float>(norm.column);
}

/// What a head that attends exactly leaves.
__device__ inline void write_exact(const NystromMiddle& args, int index) {
  if (threadIdx.x == 0 && args.residuals != nullptr) args.residuals[index] = 0;
  if (!args.one_scale) write_norm(args, index, {0, 0});
}

/// From the thread's part of |A Z - I|^2. One rank reports that of a sequence on several.
__device__ inline void write_residual(const NystromMiddle& args, const AttentionItem& item, float squared,
                                      float* vectors) {
  squared = block_sum(squared, vectors);
  if (threadIdx.x == 0)
    args.residuals[item.index] =
        item.first == 0 ? sqrtf(squared / static_cast<float>(args.problem.landmarks)) : 0.0F;
}

/// k3 v from its pieces for M <= 64, of the warp's rows, which are returned: 64 columns from `column` on.
/// `stats`, `sums`: as of merge_softmax.
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
    for (int p = 0; p < pieces.count; ++p)
      sum = fmaf(expf(stat(p, half)[0] - largest[half]), stat(p, half)[1], sum);
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

/// k3 v with its statistics from its pieces in order, and W = Z (k3 v), M <= 64. Z is not in the stage.
template <class Unit>
__device__ inline void small_w(const NystromMiddle& args, const AttentionItem& item, const SplitTile& z,
                               const SplitStage& stage, int extent) {
  const int m = args.problem.landmarks, width = args.problem.width;
  const std::int64_t row = static_cast<std::int64_t>(item.index) * m, at = row * width;
  const SoftmaxPieces pieces = pieces_of(args, item);
  for (int column = 0; column < width; column += kSquareTile) {
    const TileRows k3_v = merged_rows(args.problem, pieces, column, args.k3_stats + 2 * row, args.k3_v + at);
    const Extent right{extent, width - column};
    const SplitTile factor = publish<Unit>(k3_v, stage.tile, stage.maxima, right).tile;
    TileRows w = split_product<Lies::kPlain, Unit>(1, left(z), factor, {{extent, extent}, right.columns});
    write_rows(args.w + at, w, m, width, column);
  }
}

/// By what A^T is divided to begin with: |A|_1 of this head, which is kept for backward, or of all.
__device__ inline float small_scale(const NystromMiddle& args, int index, const TileRows& a, float* vectors) {
  const AttentionProblem& problem = args.problem;
  if (args.one_scale) return largest_norm(args.norms, problem.batch * problem.heads, vectors);
  const OneNorm norm = one_norm(a, vectors, problem.landmarks);
  write_norm(args, index, norm);
  return norm.value;
}

/// M <= 64: one head.
constexpr int kForwardTiles = 3;
template <bool kFull, class Unit>
__global__ void __launch_bounds__(kSquareThreads, Unit::kGroup ? 3 : 2)
    small_middle_kernel(NystromMiddle args) {
  const AttentionProblem& problem = args.problem;
  const int index = static_cast<int>(blockIdx.x), m = problem.landmarks;
  const AttentionItem item = item_of(problem, index);
  if (item.exact) {
    write_exact(args, index);
    return;
  }
  const SquareSize size = square_size<kFull>(m);
  const int extent = size.extent;
  const SquareMemory<kForwardTiles> memory;
  TileRows a_rows = make_small_a<Unit>(problem, item, args.q_landmarks, args.k_landmarks, memory.stage());
  const std::int64_t square = static_cast<std::int64_t>(m) * m;
  write_square(args.a + index * square, a_rows, m);
  const float scale = small_scale(args, index, a_rows, memory.vectors);
  const SplitTile a = publish<Unit>(a_rows, memory.tile(0), memory.maxima, extent).tile;
  SplitTile z = first_iterate<Unit>(a, scale, memory.tile(1), extent);
  TileRows pinv = joined(rows_of_tile<Lies::kPlain>(z, extent));
  float* iterate = args.iterates + index * max(args.iterations - 1, 0) * square;
  for (int i = 0; i < args.iterations; ++i) {
    pinv = next_iterate<Unit>(a, z, memory.tile(2), memory.maxima, size);
    z = publish<Unit>(pinv, memory.tile(1), memory.maxima, extent).tile;
    if (i + 1 == args.iterations) break;
    write_square(iterate, pinv, m);
    iterate += square;
  }
  write_square(args.pinv + index * square, pinv, m);
  if (args.residuals != nullptr) {
    TileRows error = split_product<Lies::kPlain, Unit>(1, left(a), z, extent);
    add_to_diagonal(error, -1, m);
    float sum = 0;
    for_each(error, [&](float x, int, int) { sum += x * x; });
    write_residual(args, item, sum, memory.vectors);
  }
  // The item anew, rather than in registers all the while.
  small_w<Unit>(args, item_of(problem, index), z, memory.stage(), extent);
}

}  // namespace nystrom::cuda
