#pragma once
// Gradients of a warp's 16 keys and values: what is added to them beside the products of attention's
// backward, and where they go.

#include "kernels/cuda/attention/backward.h"
#include "kernels/cuda/attention/convolution.h"

namespace nystrom::cuda {

/// Where a warp's 16 keys get their gradients.
template <int kWidth>
struct KeySums {
  Sums<kWidth> d_k, d_v;
};

/// The segment of row i of a sequence of n, of m segments, and 1 / its rows.
struct RowsSegment {
  int index;
  float factor;
};
template <class Index>
__device__ inline RowsSegment segment_of(Index i, Index m, Index n) {
  const Index j = ((i + 1) * m - 1) / n;
  return {static_cast<int>(j), 1.0F / static_cast<float>((j + 1) * n / m - j * n / m)};
}

/// d_k += d_k~_j / l_j, j the segment of the row.
template <class T, int kWidth>
__device__ inline void add_landmark_gradients(Sums<kWidth>& d_k, const KeysGradient<T>& args,
                                              const AttentionItem& item, int first) {
  const AttentionProblem& problem = args.problem;
  const int m = problem.landmarks, width = problem.width, mine = first + 16 * warp_index() + lane_index() / 4;
  const bool has_small_products = static_cast<std::int64_t>(item.length + 1) * m < (std::int64_t{1} << 32);
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const int i = item.first + min(mine + 8 * half, item.rows - 1);
    const RowsSegment segment = has_small_products
                                    ? segment_of<unsigned>(static_cast<unsigned>(i), static_cast<unsigned>(m),
                                                           static_cast<unsigned>(item.length))
                                    : segment_of<std::int64_t>(i, m, item.length);
    const float* const from =
        args.d_k_landmarks + (static_cast<std::int64_t>(item.index) * m + segment.index) * width;
#pragma unroll
    for (int j = 0; j < kWidth / 8; ++j) {
      const int column = 8 * j + lane_index() % 4 * 2;
      if (column >= width) continue;
      const float2 pair = *reinterpret_cast<const float2*>(from + column);
      d_k.x[j][2 * half] = fmaf(segment.factor, pair.x, d_k.x[j][2 * half]);
      d_k.x[j][2 * half + 1] = fmaf(segment.factor, pair.y, d_k.x[j][2 * half + 1]);
    }
  }
}

/// d_v += the convolution's part, then both into d_qkv; `pieces` are being loaded where is_ahead(), and are
/// overwritten.
template <class T>
__device__ inline bool is_ahead(const KeysGradient<T>& args) {
  return args.problem.taps > 0 && args.problem.taps <= kAheadTaps;
}
template <bool kPieces, class T, int kWidth>
__device__ inline void finish_keys(KeySums<kWidth>& sums, const KeysGradient<T>& args,
                                   const AttentionItem& item, int first, const ConvolutionBand<T>& band,
                                   const ConvolutionPieces<T, kWidth>& pieces) {
  const AttentionProblem& problem = args.problem;
  const int width = problem.width;
  const std::int64_t channels = static_cast<std::int64_t>(problem.heads) * width;
  if (kPieces && is_ahead(args))
    add_pieces(sums.d_v, band, pieces);
  else if (problem.taps > 0)
    add_convolution(sums.d_v, band, rows_of(args.d_out, problem, item, 1, 0), channels, item.rows, first,
                    problem.taps, width, pieces.at(1), halo_of(args.halos, problem, item));
  __syncthreads();
  T* const d_k = rows_of(args.d_qkv, problem, item, 3, 1) + first * 3 * channels;
  store_sums(pieces.at(0), sums.d_k, d_k, 3 * channels, item.rows - first, width);
  store_sums(pieces.at(1), sums.d_v, d_k + channels, 3 * channels, item.rows - first, width);
}

/// k and v, which lie one after the other, as the tiles that finish_keys() overwrites.
template <class T, int kWidth, class TilesOf>
__device__ inline ConvolutionPieces<T, kWidth> own_tiles(const TilesOf& tiles) {
  ConvolutionPieces<T, kWidth> pieces;
  pieces.data = tiles.k.data;
  return pieces;
}

template <class T, class TilesOf>
__device__ inline void start_key_tiles(const KeysGradient<T>& args, const AttentionItem& item, int first,
                                       const TilesOf& tiles) {
  const AttentionProblem& problem = args.problem;
  const std::int64_t channels = static_cast<std::int64_t>(problem.heads) * problem.width;
  const T* const k = rows_of(args.qkv, problem, item, 3, 1) + first * 3 * channels;
  start_rows(tiles.k.at(0), k, 3 * channels, 0, item.rows - first, problem.width);
  start_rows(tiles.v.at(0), k + channels, 3 * channels, 0, item.rows - first, problem.width);
}

}  // namespace nystrom::cuda
