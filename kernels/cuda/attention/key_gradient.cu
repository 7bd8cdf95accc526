// Attention backward on the side of the keys: with P^T again from the saved statistics, dv = P^T d_context,
// dk = dS^T queries. A warp owns 16 keys; the queries' statistics stand beside the columns. The convolution's
// part of dv, and the landmarks' of dk, are added before anything is written.
//
//   nystrom  queries: the landmarks with d_(k3 v). Block (item, chunk of rows). dq~ = dS keys of the chunk
//            goes through shared memory as in the rows' pass; in registers where M, D <= 64.
//            Bytes: 5 n D elements + 12 M D a chunk.
//   exact    queries: rows, with d_out. Block (item, 64 keys) over tiles of queries.
//            Bytes: 5 n D + 2 n D for each 64 keys, from the cache but the first time.
//
// No atomics: the same bits each time. Checked against the CPU through the emulation; not yet run on a GPU.

#include <algorithm>

#include "kernels/cuda/attention/key_sums.h"
#include "kernels/tensor/cuda/launch.h"

namespace nystrom::cuda {
namespace {

template <class T, int kWidth, bool kExact>
using Tiles = GradientTiles<T, kWidth, kExact, /*kOwnsQueries=*/false>;

/// Starts to load the queries from `query` on, their gradients and statistics, which are there after
/// finish_rows(); those beyond `count` get 1 / sum = 0.
template <class T, int kWidth, bool kExact>
__device__ inline void start_queries(const KeysGradient<T>& args, const AttentionItem& item, int query,
                                     int turn, const Tiles<T, kWidth, kExact>& tiles) {
  const AttentionProblem& problem = args.problem;
  const int width = problem.width, i = static_cast<int>(threadIdx.x);
  const float* stats = nullptr;
  const float* deltas = nullptr;
  int count = 0;
  if constexpr (kExact) {
    const std::int64_t channels = static_cast<std::int64_t>(problem.heads) * width;
    count = item.rows - query;
    start_rows(tiles.q.at(turn), rows_of(args.qkv, problem, item, 3, 0) + query * 3 * channels, 3 * channels,
               0, count, width);
    start_rows(tiles.g.at(turn), rows_of(args.d_out, problem, item, 1, 0) + query * channels, channels, 0,
               count, width);
    stats = stats_of(args.row_stats, problem, item) + query * 2LL;
    deltas = args.deltas + static_cast<std::int64_t>(item.index) * args.deltas_stride + query;
  } else {
    const std::int64_t at = static_cast<std::int64_t>(item.index) * problem.landmarks + query;
    count = problem.landmarks - query;
    load_derived(tiles.q.at(turn), args.q_landmarks + at * width, count, width);
    load_derived(tiles.g.at(turn), args.d_k3_v + at * width, count, width);
    stats = args.k3_stats + at * 2;
    deltas = args.landmark_deltas + at;
  }
  if (i >= kBlockRows) return;
  const auto normal =
      SoftmaxExp<T>::normal(i < count ? stats[2 * i] : 0.0F, i < count ? stats[2 * i + 1] : 0.0F);
  float* const of_tile = tiles.stats_at(turn);
  of_tile[i] = normal.shift;
  of_tile[kBlockRows + i] = normal.inverse_sum;
  of_tile[2 * kBlockRows + i] = i < count ? deltas[i] : 0.0F;
}

/// Adds what the tile of queries from `query` gives to the keys from `first`; returns dS^T.
template <class T, int kWidth, bool kExact>
__device__ inline Sums<kBlockRows> add_queries(KeySums<kWidth>& sums, const KeysGradient<T>& args,
                                               const AttentionItem& item, int first, int query, int turn,
                                               const Tiles<T, kWidth, kExact>& tiles) {
  constexpr int kParts = Tiles<T, kWidth, kExact>::kParts;
  const auto q = tiles.q.at(turn), g = tiles.g.at(turn);
  const float* const stats = tiles.stats_at(turn);
  const int own = 16 * warp_index(), mine = first + own + lane_index() / 4;
  const float scale = args.problem.scale;
  Sums<kBlockRows> p, d_s;
  add_product<Lies::kPlain, Lies::kTransposed, kWidth>(p, tiles.k.at(0).from(own), q.from(0));
  const SoftmaxExp<T> exp(scale);
  for_each(p, [&](float& x, int row, int column) {
    const bool seen =
        mine + 8 * row < item.keys && (!kExact || sees(args.problem, query + column, mine + 8 * row));
    x = seen ? exp.probability(x, stats[column], stats[kBlockRows + column]) : 0.0F;
  });
  add_product<Lies::kPlain, Lies::kTransposed, kWidth>(d_s, tiles.v.at(0).from(own), g.from(0));
  Sums<kBlockRows> kept = p;
  if (kExact && args.dropout.active) {
    for_each(kept, [&](float& x, int row, int column) {
      x = mine + 8 * row < item.keys && query + column < item.rows
              ? dropout_factor(args.dropout, item, query + column, mine + 8 * row)
              : 0.0F;
    });
#pragma unroll
    for (int j = 0; j < kBlockRows / 8; ++j)
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        d_s.x[j][i] *= kept.x[j][i];
        kept.x[j][i] *= p.x[j][i];
      }
  }
  add_product_of<kParts>(sums.d_v, kept, g.from(0));
  for_each(d_s, [&](float& x, int, int column) { x -= stats[2 * kBlockRows + column]; });
#pragma unroll
  for (int j = 0; j < kBlockRows / 8; ++j)
#pragma unroll
    for (int i = 0; i < 4; ++i) d_s.x[j][i] *= p.x[j][i] * scale;
  add_product_of<kParts>(sums.d_k, d_s, q.from(0));
  return d_s;
}

template <class T, int kWidth>
__global__ void __launch_bounds__(kAttentionThreads) landmark_keys_gradient_kernel(KeysGradient<T> args) {
  const AttentionProblem& problem = args.problem;
  const auto [item, chunk, begin, end] = chunk_of_block(problem);
  if (item.exact || begin >= end) return;
  SharedCarver carver(shared_memory<std::byte>());
  const Tiles<T, kWidth, false> tiles(carver);
  const int m = problem.landmarks, width = problem.width, taps = problem.taps;
  const bool one_tile = m <= kBlockRows, in_registers = kWidth <= 64 && one_tile;
  ConvolutionBand<T> band;
  if (taps > 0) band = make_band<T>(carver, args.filter + item.head * taps, taps, true);
  const std::int64_t channels = static_cast<std::int64_t>(problem.heads) * width;
  const T* const gradients = rows_of(args.d_out, problem, item, 1, 0);
  float* const part =
      args.d_q_parts + (static_cast<std::int64_t>(item.index) * problem.max_chunks + chunk) * m * width;

  constexpr bool kPieces = Tiles<T, kWidth, false>::kPieces;
  ConvolutionPieces<T, kWidth> pieces = own_tiles<T, kWidth>(tiles);
  if constexpr (kPieces) pieces = tiles.pieces;
  // What comes to d_q~ through A is there already.
  const bool begins = chunk == 0 && item.first == 0;
  const float* const d_q_landmarks = args.d_q_landmarks + static_cast<std::int64_t>(item.index) * m * width;
  Sums<kWidth> d_q;
  if (begins && in_registers) d_q = read_partial<kWidth>(d_q_landmarks, m, width);
  start_key_tiles(args, item, begin, tiles);
  if (one_tile) start_queries<T, kWidth, false>(args, item, 0, 0, tiles);
  for (int first = begin; first < end; first += kBlockRows) {
    KeySums<kWidth> sums;
    finish_rows();
    if (kPieces && is_ahead(args))
      start_pieces(pieces, gradients, channels, item.rows, first, taps, width,
                   halo_of(args.halos, problem, item));
    for (int j = 0; j < m; j += kBlockRows) {
      if (!one_tile) {
        if (j > 0) __syncthreads();
        start_queries<T, kWidth, false>(args, item, j, 0, tiles);
        __syncthreads();
      }
      const Sums<kBlockRows> d_s = add_queries<T, kWidth, false>(sums, args, item, first, j, 0, tiles);
      put_sums(tiles.s, d_s);
      __syncthreads();
      if (begins && !in_registers && first == begin)
        d_q = read_partial<kWidth>(d_q_landmarks + j * width, m - j, width);
      add_product<Lies::kTransposed, Lies::kPlain, kBlockRows>(d_q, tiles.s.from(0, 16 * warp_index()),
                                                               tiles.k.at(0).from(0));
      if (in_registers) continue;
      store_partial(d_q, part + j * width, m - j, width, first > begin);
      d_q = {};
    }
    add_landmark_gradients(sums.d_k, args, item, first);
    const bool is_last = first + kBlockRows >= end;
    if constexpr (kPieces) {
      finish_rows();
      if (!is_last) start_key_tiles(args, item, first + kBlockRows, tiles);
    }
    finish_keys<kPieces>(sums, args, item, first, band, pieces);
    if (kPieces || is_last) continue;
    __syncthreads();
    start_key_tiles(args, item, first + kBlockRows, tiles);
  }
  if (in_registers) store_partial(d_q, part, m, width, false);
}

template <class T, int kWidth>
__global__ void __launch_bounds__(kAttentionThreads) exact_keys_gradient_kernel(KeysGradient<T> args) {
  const AttentionProblem& problem = args.problem;
  const AttentionItem item = item_of(problem, static_cast<int>(blockIdx.x));
  const int first = static_cast<int>(blockIdx.y) * kBlockRows;
  if (!item.exact || first >= item.rows) return;
  SharedCarver carver(shared_memory<std::byte>());
  const Tiles<T, kWidth, true> tiles(carver);
  ConvolutionBand<T> band;
  if (problem.taps > 0)
    band = make_band<T>(carver, args.filter + item.head * problem.taps, problem.taps, true);
  KeySums<kWidth> sums;
  const SeenTiles seen = tiles_seen(problem, first, first < item.keys ? item.rows : 0);
  const auto start = [&](int query, int turn) {
    if (query < seen.end) start_queries<T, kWidth, true>(args, item, query, turn, tiles);
  };
  start_key_tiles(args, item, first, tiles);
  start(seen.first(), 0);
  for (int query = seen.first(), turn = 0; query < seen.end; query = seen.next(query), ++turn) {
    finish_rows();
    if constexpr (Tiles<T, kWidth, true>::kAhead) start(seen.next(query), turn + 1);
    add_queries<T, kWidth, true>(sums, args, item, first, query, turn, tiles);
    if constexpr (Tiles<T, kWidth, true>::kAhead) continue;
    __syncthreads();
    start(seen.next(query), turn + 1);
  }
  finish_rows();
  finish_keys<false>(sums, args, item, first, band, own_tiles<T, kWidth>(tiles));
}

}  // namespace

static_assert(kGradientTilesFit<false>);

template <class T>
void keys_gradient(CudaContext& context, const KeysGradient<T>& args, bool exact, std::int64_t longest) {
  const AttentionProblem& problem = args.problem;
  if constexpr (std::is_same_v<T, BF16>)
    if (!exact && fits_group(problem) && context.has_wgmma()) return keys_gradient_by_group(context, args);
  const auto items = static_cast<unsigned>(problem.batch * problem.heads);
  const auto band = static_cast<std::size_t>(convolution_band_bytes<T>(problem.taps));
  dispatch_head_width(problem.width, [&](auto width) {
    if (exact)
      launch(context.stream(), dim3(items, static_cast<unsigned>((longest + kBlockRows - 1) / kBlockRows)),
             dim3(kAttentionThreads), Tiles<T, width(), true>::kBytes + band, "exact_attention_keys_backward",
             exact_keys_gradient_kernel<T, width()>, args);
    else
      launch(context.stream(), dim3(items, static_cast<unsigned>(problem.max_chunks)),
             dim3(kAttentionThreads), Tiles<T, width(), false>::kBytes + band, "attention_keys_backward",
             landmark_keys_gradient_kernel<T, width()>, args);
  });
}

template void keys_gradient<float>(CudaContext&, const KeysGradient<float>&, bool, std::int64_t);
template void keys_gradient<BF16>(CudaContext&, const KeysGradient<BF16>&, bool, std::int64_t);

}  // namespace nystrom::cuda
