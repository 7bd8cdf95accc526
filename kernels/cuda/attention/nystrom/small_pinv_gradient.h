#pragma once
// What a block does for a head in the M x M part of Nystrom attention's backward, and for M <= 64 the kernel
// (docs/mathematics.md has the lines under the same names).

#include "kernels/cuda/attention/nystrom/landmarks.h"
#include "kernels/cuda/attention/nystrom/pieces.h"
#include "kernels/cuda/attention/nystrom/pseudo_inverse_gradient.h"

namespace nystrom::cuda {

__device__ inline std::int64_t landmark_rows(const AttentionProblem& problem, int index) {
  return static_cast<std::int64_t>(index) * problem.landmarks;
}

/// The first head that has the largest norm of the call; in every thread.
__device__ inline int largest_norm_item(const float* norms, int items, float* vectors) {
  OneNorm best{0, 0};
  for (int i = static_cast<int>(threadIdx.x); i < items; i += kSquareThreads)
    if (norms[2 * i] > best.value) best = {norms[2 * i], i};
  const float largest = block_max(best.value, vectors);
  auto* const found = reinterpret_cast<int*>(vectors);
  if (threadIdx.x == 0) {
    int i = 0;
    while (i + 1 < items && norms[2 * i] != largest) ++i;
    found[0] = i;
  }
  __syncthreads();
  const int item = found[0];
  __syncthreads();
  return item;
}

/// An item's gradients of [M, D] by its chunks, or of a split sequence by the ranks. `parts`: [items, chunks,
/// M, D]; of a split sequence: gradient `which` of `count`.
__device__ inline SumPieces pieces_of(const NystromMiddleGradient& args, const AttentionItem& item,
                                      const float* parts, int which, int count) {
  if (item.split >= 0) return ranks_of(args.problem, item, args.sums, which, count);
  SumPieces pieces = chunks_of(args.problem, item, parts);
  if (args.added) pieces.count = 1;
  return pieces;
}
/// Element `e` of the sum.
__device__ inline float sum_at(const SumPieces& pieces, int e) {
  float sum = pieces.first[e];
  for (int p = 1; p < pieces.count; ++p) sum += pieces.first[p * pieces.stride + e];
  return sum;
}
/// The warp's rows of the sum [m, width], 64 columns from `column` on.
__device__ inline TileRows summed_rows(const SumPieces& pieces, int m, int width, int column) {
  TileRows sum = read_rows(pieces.first, m, width, column);
  for (int p = 1; p < pieces.count; ++p) {
    const TileRows piece = read_rows(pieces.first + p * pieces.stride, m, width, column);
#pragma unroll
    for (int j = 0; j < kSquareTile / 8; ++j)
#pragma unroll
      for (int i = 0; i < 4; ++i) sum.x[j][i] += piece.x[j][i];
  }
  return sum;
}

/// M <= 64: d_(k3 v) = Z^T d_W and its deltas into memory; returns d_Z = d_W (k3 v)^T. Takes three tiles.
template <class Unit>
__device__ inline TileRows small_begin(const NystromMiddleGradient& args, const AttentionItem& item,
                                       const SquareMemory<kSmallPinvTiles>& memory, int extent) {
  const AttentionProblem& problem = args.problem;
  const int m = problem.landmarks, width = problem.width;
  const std::int64_t row = landmark_rows(problem, item.index), at = row * width;
  const SumPieces of_d_w = pieces_of(args, item, args.d_w_parts, 0, 2);
  const SplitTile z =
      publish<Unit>(read_square(args.pinv + row * m, m), memory.tile(0), memory.maxima, extent).tile;
  TileRows d_z;
  float deltas[2] = {0, 0};
  for (int column = 0; column < width; column += kSquareTile) {
    const Extent columns = columns_of<Unit>(width - column);
    const SplitTile d_w =
        publish<Unit>(summed_rows(of_d_w, m, width, column), memory.tile(1), memory.maxima, columns).tile;
    TileRows d_k3_v = split_product<Lies::kPlain, Unit>(1, left<Lies::kTransposed>(z), d_w,
                                                        {{extent, extent}, columns.columns});
    write_rows(args.d_k3_v + at, d_k3_v, m, width, column);
    const TileRows k3_v = read_rows(args.k3_v + at, m, width, column);
#pragma unroll
    for (int j = 0; j < kSquareTile / 8; ++j)
#pragma unroll
      for (int i = 0; i < 4; ++i) deltas[i / 2] += k3_v.x[j][i] * d_k3_v.x[j][i];
    const SplitTile factor = publish<Unit>(k3_v, memory.tile(2), memory.maxima, columns).tile;
    add_split_product<Lies::kTransposed, Unit>(d_z, 1, left(d_w), factor, {columns, extent});
  }
  for (int half = 0; half < 2; ++half) {
    const int i = 16 * warp_index() + lane_index() / 4 + 8 * half;
    const float delta = quad_sum(deltas[half]);
    if (lane_index() % 4 == 0 && i < m) args.landmark_deltas[row + i] = delta;
  }
  return d_z;
}

/// Of a head that attends exactly there is none.
__device__ inline void write_no_d_scale(const NystromMiddleGradient& args, int index) {
  if (threadIdx.x == 0) args.d_scales[index] = 0;
}

/// The scale's gradient, from the thread's part of <(d_Z_0)^T, A>.
__device__ inline float write_d_scale(const NystromMiddleGradient& args, int index, float dot, float scale,
                                      float* vectors) {
  const float d_scale = -block_sum(dot, vectors) / (scale * scale);
  if (threadIdx.x == 0) args.d_scales[index] = d_scale;
  return d_scale;
}

/// M <= 64: d_A becomes the gradient of the logits, from which d_q~ (this part of it) and d_k~ come.
template <class Unit>
__device__ inline void small_landmarks_gradient(const NystromMiddleGradient& args, const AttentionItem& item,
                                                const TileRows& a, TileRows& d_a, float d_norm,
                                                const SquareMemory<kSmallPinvTiles>& memory, int extent) {
  const AttentionProblem& problem = args.problem;
  const int m = problem.landmarks, width = problem.width;
  const auto norm_column = static_cast<int>(args.norms[2 * item.index + 1]);
  float deltas[2] = {0, 0};
  for_each(d_a, [&](float& x, int, int column) {
    if (column == norm_column) x += d_norm;
  });
#pragma unroll
  for (int j = 0; j < kSquareTile / 8; ++j)
#pragma unroll
    for (int i = 0; i < 4; ++i) deltas[i / 2] += a.x[j][i] * d_a.x[j][i];
  for (float& delta : deltas) delta = quad_sum(delta);
#pragma unroll
  for (int j = 0; j < kSquareTile / 8; ++j)
#pragma unroll
    for (int i = 0; i < 4; ++i) d_a.x[j][i] = a.x[j][i] * (d_a.x[j][i] - deltas[i / 2]) * problem.scale;
  const SplitTile d_s = publish<Unit>(d_a, memory.tile(0), memory.maxima, extent).tile;
  const std::int64_t at = landmark_rows(problem, item.index) * width;
  const SumPieces of_d_k = pieces_of(args, item, args.d_k_parts, 1, 2);
  for (int column = 0; column < width; column += kSquareTile) {
    const Extent right{extent, width - column};
    const auto product = [&](const auto& of_d_s, const float* from) {
      return split_product<Lies::kPlain, Unit>(
          1, of_d_s,
          publish<Unit>(read_rows(from + at, m, width, column), memory.tile(1), memory.maxima, right).tile,
          {{extent, extent}, right.columns});
    };
    TileRows d_q = product(left(d_s), args.k_landmarks);
    write_rows(args.d_q_landmarks + at, d_q, m, width, column);
    TileRows d_k = product(left<Lies::kTransposed>(d_s), args.q_landmarks);
    const TileRows through_rows = summed_rows(of_d_k, m, width, column);
#pragma unroll
    for (int j = 0; j < kSquareTile / 8; ++j)
#pragma unroll
      for (int i = 0; i < 4; ++i) d_k.x[j][i] += through_rows.x[j][i];
    write_rows(args.d_k_landmarks + at, d_k, m, width, column);
  }
}

/// M <= 64. d_Z = d_W (k3 v)^T, then the steps backwards.
template <bool kFull, class Unit>
__global__ void __launch_bounds__(kSquareThreads, 2) small_pinv_gradient_kernel(NystromMiddleGradient args) {
  const AttentionProblem& problem = args.problem;
  const int items = problem.batch * problem.heads, m = problem.landmarks;
  const SquareMemory<kSmallPinvTiles> memory;
  const float shared_scale =
      args.one_scale ? args.norms[2 * largest_norm_item(args.norms, items, memory.vectors)] : 0;
  for (int index = static_cast<int>(blockIdx.x); index < items; index += static_cast<int>(gridDim.x)) {
    const AttentionItem item = item_of(problem, index);
    if (item.exact) {
      write_no_d_scale(args, index);
      continue;
    }
    const std::int64_t rows = landmark_rows(problem, index);
    const TileRows d_pinv = small_begin<Unit>(args, item, memory, square_size<kFull>(m).extent);
    const float scale = args.one_scale ? shared_scale : args.norms[2 * index];
    const float* const iterates = args.iterates + max(args.iterations - 1, 0) * rows * m;
    SmallPinvGradient<Unit> pinv(memory, iterates, square_size<kFull>(m));
    pinv.begin(args.a + rows * m, d_pinv);
    for (int i = args.iterations - 1; i >= 0; --i) {
      pinv.take_iterate(i, scale);
      pinv.step_back();
    }
    const TileRows a = read_square(args.a + rows * m, m);
    const float d_scale = write_d_scale(args, index, pinv.finish(a, scale), scale, memory.vectors);
    if (args.one_scale)
      write_square(args.d_a + rows * m, pinv.d_a, m);  // the scale's gradient is in other heads, too
    else
      small_landmarks_gradient<Unit>(args, item, a, pinv.d_a, d_scale, memory, pinv.extent);
  }
}

}  // namespace nystrom::cuda
