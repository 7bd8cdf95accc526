// Attention backward on the side of the queries: P again from the saved statistics, dP = g values^T,
// dS = P (dP - delta) / sqrt(D), dq = dS keys; for the landmarks also dW = P^T g and dk~ = dS^T q, for which
// P and dS go through shared memory once, since a warp that owns 16 queries must become one that owns 16
// landmarks.
//
//   nystrom  block (item, chunk of rows). d_W and d_k~ of the chunk stay in registers where M, D <= 64, and
//            are added to the block's own part in memory otherwise. delta is the sum over landmarks of P dP
//            (with more than 64 of them, by a separate pass). Bytes: 3 n D elements + 16 M D a chunk.
//   exact    block (item, 64 rows) over tiles of keys. delta = g . context, context = out - conv(v).
//            Bytes: 4 n D + 2 n D for each 64 rows, from the cache but the first time.
//
// No atomics: the same bits each time. Checked against the CPU through the emulation; not yet run on a GPU.

#include <algorithm>

#include "kernels/cuda/attention/backward.h"
#include "kernels/cuda/attention/convolution.h"
#include "kernels/cuda/attention/softmax_gradient.h"
#include "kernels/tensor/cuda/launch.h"

namespace nystrom::cuda {
namespace {

template <class T, int kWidth, bool kExact>
using Tiles = GradientTiles<T, kWidth, kExact, /*kOwnsQueries=*/true>;

/// P of 16 rows and 64 keys, the first `keys` of which take part.
template <class T, class Queries, class Keys>
__device__ inline Sums<kBlockRows> probabilities(const Queries& q, const Keys& k, const RowStats<T>& stats,
                                                 float scale, int keys) {
  constexpr int kWidth = Queries::kColumns;
  const SoftmaxExp<T> exp(scale);
  Sums<kBlockRows> p;
  add_product<Lies::kPlain, Lies::kTransposed, kWidth>(p, q.from(16 * warp_index()), k.from(0));
  for_each(p, [&](float& x, int row, int) {
    x = exp.probability(x, stats.rows[row].shift, stats.rows[row].inverse_sum);
  });
  if (keys < kBlockRows)
    for_each(p, [&](float& x, int, int column) {
      if (column >= keys) x = 0;
    });
  return p;
}
template <class Queries, class Keys>
__device__ inline Sums<kBlockRows> probability_gradients(const Queries& g, const Keys& v) {
  Sums<kBlockRows> d_p;
  add_product<Lies::kPlain, Lies::kTransposed, Queries::kColumns>(d_p, g.from(16 * warp_index()), v.from(0));
  return d_p;
}

// ---- landmarks as keys ------------------------------------------------------------------------------------

template <class T, int kWidth>
__global__ void __launch_bounds__(kAttentionThreads) landmark_rows_gradient_kernel(RowsGradient<T> args) {
  constexpr int kParts = kDerivedParts<T>;
  const AttentionProblem& problem = args.problem;
  const auto [item, chunk, begin, end] = chunk_of_block(problem);
  if (item.exact || begin >= end) return;
  SharedCarver carver(shared_memory<std::byte>());
  const Tiles<T, kWidth, false> tiles(carver);
  const int m = problem.landmarks, width = problem.width, own = 16 * warp_index();
  const bool one_tile = m <= kBlockRows, in_registers = kWidth <= 64 && one_tile;
  const std::int64_t channels = static_cast<std::int64_t>(problem.heads) * width;
  const T* const queries = rows_of(args.qkv, problem, item, 3, 0);
  const T* const gradients = rows_of(args.d_out, problem, item, 1, 0);
  const float* const stats = stats_of(args.row_stats, problem, item);
  const std::int64_t landmarks = static_cast<std::int64_t>(item.index) * m * width;
  const std::int64_t part = (static_cast<std::int64_t>(item.index) * problem.max_chunks + chunk) * m * width;

  constexpr bool kAhead = Tiles<T, kWidth, false>::kAhead;
  const auto start = [&](int first, int turn) {
    if (first >= end) return;
    start_rows(tiles.q.at(turn), queries + first * 3 * channels, 3 * channels, 0, end - first, width);
    start_rows(tiles.g.at(turn), gradients + first * channels, channels, 0, end - first, width);
  };
  const auto k = tiles.k.at(0), v = tiles.v.at(0);
  const auto load_landmarks = [&](int j) {
    load_derived(k, args.k_landmarks + landmarks + j * width, m - j, width);
    load_derived(v, args.w + landmarks + j * width, m - j, width);
  };
  Sums<kWidth> d_w, d_k;
  start(begin, 0);
  if (one_tile) load_landmarks(0);
  finish_rows();
  for (int first = begin, turn = 0; first < end; first += kBlockRows, ++turn) {
    const auto q = tiles.q.at(turn), g = tiles.g.at(turn);
    const RowStats<T> mine = row_stats<T>(stats, first + own + lane_index() / 4, end);
    float deltas[2] = {0, 0};
    if (!one_tile)
      for (int j = 0; j < m; j += kBlockRows) {
        __syncthreads();
        load_landmarks(j);
        __syncthreads();
        add_deltas(deltas, probabilities<T>(q, k, mine, problem.scale, m - j), probability_gradients(g, v));
      }
    Sums<kWidth> d_q;
    for (int j = 0; j < m; j += kBlockRows) {
      if (!one_tile) {
        __syncthreads();
        load_landmarks(j);
        __syncthreads();
      }
      const Sums<kBlockRows> p = probabilities<T>(q, k, mine, problem.scale, m - j);
      Sums<kBlockRows> d_s = probability_gradients(g, v);
      if (one_tile) add_deltas(deltas, p, d_s);
      to_logit_gradients(d_s, p, deltas, problem.scale);
      add_product_of<kParts>(d_q, d_s, k.from(0));
      put_sums(tiles.s, p);
      __syncthreads();
      // Nobody is at the rows before any more: their tiles take the next ones.
      if (kAhead && j == 0) start(first + kBlockRows, turn + 1);
      add_product<Lies::kTransposed, Lies::kPlain, kBlockRows>(d_w, tiles.s.from(0, own), g.from(0));
      __syncthreads();
      put_sums(tiles.s, d_s);
      __syncthreads();
      add_product<Lies::kTransposed, Lies::kPlain, kBlockRows>(d_k, tiles.s.from(0, own), q.from(0));
      finish_rows();
      if (in_registers) continue;
      store_partial(d_w, args.d_w_parts + part + j * width, m - j, width, first > begin);
      store_partial(d_k, args.d_k_parts + part + j * width, m - j, width, first > begin);
      d_w = d_k = {};
    }
    store_sums(q, d_q, rows_of(args.d_qkv, problem, item, 3, 0) + first * 3 * channels, 3 * channels,
               end - first, width);
    if (kAhead || first + kBlockRows >= end) continue;
    __syncthreads();
    start(first + kBlockRows, turn + 1);
    finish_rows();
  }
  if (!in_registers) return;
  store_partial(d_w, args.d_w_parts + part, m, width, false);
  store_partial(d_k, args.d_k_parts + part, m, width, false);
}

// ---- the sequence's own keys ------------------------------------------------------------------------------

/// delta of the thread's two rows: g . (out - conv(v)). Overwrites the tiles k (out) and v (rows around).
template <class T, int kWidth>
__device__ inline void exact_deltas(float (&deltas)[2], const RowsGradient<T>& args,
                                    const AttentionItem& item, int first, SharedCarver& carver,
                                    const Tiles<T, kWidth, true>& tiles) {
  const AttentionProblem& problem = args.problem;
  const int taps = problem.taps, width = problem.width, own = 16 * warp_index() + lane_index() / 4;
  const std::int64_t channels = static_cast<std::int64_t>(problem.heads) * width;
  const auto context = tiles.k.at(0), g = tiles.g.at(0);
  using Tile = decltype(context);
  start_rows(context, rows_of(args.out, problem, item, 1, 0) + first * channels, channels, 0,
             item.rows - first, width);
  Sums<kWidth> convolution;
  if (taps > 0)
    add_convolution(convolution, make_band<T>(carver, args.filter + item.head * taps, taps, false),
                    rows_of(args.qkv, problem, item, 3, 2), 3 * channels, item.rows, first, taps, width,
                    tiles.v.at(0));
  finish_rows();
  for_each(convolution, [&](float x, int row, int column) {
    const int at = (own + 8 * row) * std::remove_const_t<Tile>::kStride + column;
    deltas[row] += load(g.data + at) * (load(context.data + at) - x);
  });
  for (int row = 0; row < 2; ++row) deltas[row] = quad_sum(deltas[row]);
}

template <class T, int kWidth>
__global__ void __launch_bounds__(kAttentionThreads) exact_rows_gradient_kernel(RowsGradient<T> args) {
  const AttentionProblem& problem = args.problem;
  const AttentionItem item = item_of(problem, static_cast<int>(blockIdx.x));
  const int first = static_cast<int>(blockIdx.y) * kBlockRows;
  if (!item.exact || first >= item.rows) return;
  SharedCarver carver(shared_memory<std::byte>());
  const Tiles<T, kWidth, true> tiles(carver);
  const int width = problem.width, mine = first + 16 * warp_index() + lane_index() / 4;
  const std::int64_t channels = static_cast<std::int64_t>(problem.heads) * width;
  const T* const qkv = rows_of(args.qkv, problem, item, 3, 0);
  const auto q = tiles.q.at(0), g = tiles.g.at(0);
  start_rows(q, qkv + first * 3 * channels, 3 * channels, 0, item.rows - first, width);
  start_rows(g, rows_of(args.d_out, problem, item, 1, 0) + first * channels, channels, 0, item.rows - first,
             width);
  float deltas[2] = {0, 0};
  exact_deltas(deltas, args, item, first, carver, tiles);
  for (int row = 0; row < 2; ++row)
    if (lane_index() % 4 == 0 && mine + 8 * row < item.rows)
      args.deltas[static_cast<std::int64_t>(item.index) * args.deltas_stride + mine + 8 * row] = deltas[row];

  const RowStats<T> stats = row_stats<T>(stats_of(args.row_stats, problem, item), mine, item.rows);
  Sums<kWidth> d_q;
  const SeenTiles seen = tiles_seen(problem, first, item.keys);
  constexpr bool kAhead = Tiles<T, kWidth, true>::kAhead;
  const auto start = [&](int key, int turn) {
    if (key >= seen.end) return;
    const T* const from = qkv + channels + key * 3 * channels;
    start_rows(tiles.k.at(turn), from, 3 * channels, 0, item.keys - key, width);
    start_rows(tiles.v.at(turn), from + channels, 3 * channels, 0, item.keys - key, width);
  };
  __syncthreads();  // the deltas' tiles become those of keys
  start(seen.first(), 0);
  for (int key = seen.first(), turn = 0; key < seen.end; key = seen.next(key), ++turn) {
    finish_rows();
    if constexpr (kAhead) start(seen.next(key), turn + 1);
    const auto k = tiles.k.at(turn), v = tiles.v.at(turn);
    Sums<kBlockRows> p = probabilities<T>(q, k, stats, problem.scale, item.keys - key);
    for_each(p, [&](float& x, int row, int column) {
      if (!sees(problem, mine + 8 * row, key + column)) x = 0;
    });
    Sums<kBlockRows> d_s = probability_gradients(g, v);
    if (args.dropout.active)
      for_each(d_s, [&](float& x, int row, int column) {
        if (mine + 8 * row < item.rows && key + column < item.keys)
          x *= dropout_factor(args.dropout, item, mine + 8 * row, key + column);
      });
    to_logit_gradients(d_s, p, deltas, problem.scale);
    add_product_of<1>(d_q, d_s, k.from(0));
    if constexpr (kAhead) continue;
    __syncthreads();
    start(seen.next(key), turn + 1);
  }
  __syncthreads();
  store_sums(q, d_q, rows_of(args.d_qkv, problem, item, 3, 0) + first * 3 * channels, 3 * channels,
             item.rows - first, width);
}

}  // namespace

static_assert(kGradientTilesFit<true>);

template <class T>
void rows_gradient(CudaContext& context, const RowsGradient<T>& args, bool exact, std::int64_t longest) {
  const AttentionProblem& problem = args.problem;
  if constexpr (std::is_same_v<T, BF16>)
    if (!exact && fits_group(problem) && context.has_wgmma()) return rows_gradient_by_group(context, args);
  const auto items = static_cast<unsigned>(problem.batch * problem.heads);
  dispatch_head_width(problem.width, [&](auto width) {
    if (exact)
      launch(
          context.stream(), dim3(items, static_cast<unsigned>((longest + kBlockRows - 1) / kBlockRows)),
          dim3(kAttentionThreads),
          static_cast<std::size_t>(Tiles<T, width(), true>::kBytes + convolution_band_bytes<T>(problem.taps)),
          "exact_attention_rows_backward", exact_rows_gradient_kernel<T, width()>, args);
    else
      launch(context.stream(), dim3(items, static_cast<unsigned>(problem.max_chunks)),
             dim3(kAttentionThreads), static_cast<std::size_t>(Tiles<T, width(), false>::kBytes),
             "attention_rows_backward", landmark_rows_gradient_kernel<T, width()>, args);
  });
}

template void rows_gradient<float>(CudaContext&, const RowsGradient<float>&, bool, std::int64_t);
template void rows_gradient<BF16>(CudaContext&, const RowsGradient<BF16>&, bool, std::int64_t);

}  // namespace nystrom::cuda
