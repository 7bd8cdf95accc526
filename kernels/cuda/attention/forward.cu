// Attention forward, flash-style (Milakov, Gimelshein 2018; Dao et al. 2022): a block of four warps holds 64
// queries, walks over tiles of 64 keys and keeps the softmax's maximum and sum as it goes. No [n, M] matrix
// leaves the registers.
//
//   attend_keys  queries: 64 landmarks, keys: a chunk of k and v. Block (item, chunk, tile of landmarks).
//                Bytes: 2 n D elements for each 64 landmarks, + 4 M (D + 2) a chunk.
//   attend_rows  queries: rows, keys: the landmarks with W (loaded once a block where M <= 64), or exact: the
//                sequence's k and v. The convolution follows. Block (item, 4 tiles of rows, or 1).
//                Bytes: 3 n D elements, + 8 M D a block.
//
// docs/performance.md says what bounds them. Checked against the CPU through the emulation;
// not yet run on a GPU.

#include "kernels/cuda/attention/convolution.h"
#include "kernels/cuda/attention/forward.h"
#include "kernels/cuda/attention/online_softmax.h"
#include "kernels/tensor/cuda/launch.h"

namespace nystrom::cuda {
namespace {

template <class T, int kWidth>
struct KeysTiles {
  SharedTile<T, kWidth, kDerivedParts<T>> q;
  TileRing<SharedTile<T, kWidth>, kLoadsAhead<T, kWidth> ? 2 : 1> k, v;
  static constexpr int kBytes = decltype(q)::kBytes + 2 * decltype(k)::kBytes;
};

/// What passes by bounds the narrow ones: four blocks a multiprocessor wait for it together.
template <class T, int kWidth>
__global__ void __launch_bounds__(kAttentionThreads, kWidth <= 64 ? 4 : 2)
    attend_keys_kernel(AttendKeys<T> args) {
  const AttentionProblem& problem = args.problem;
  const AttentionItem item = item_of(problem, static_cast<int>(blockIdx.x));
  const int chunk = static_cast<int>(blockIdx.y), size = attention_chunk_rows(item.rows),
            first = chunk * size;
  if (item.exact || first >= item.rows) return;
  SharedCarver carver(shared_memory<std::byte>());
  using Tiles = KeysTiles<T, kWidth>;
  const auto q = carver.tile<decltype(Tiles::q)>();
  const auto k = carver.ring<decltype(Tiles::k)>(), v = carver.ring<decltype(Tiles::v)>();

  const int m = problem.landmarks, width = problem.width,
            landmark = static_cast<int>(blockIdx.z) * kBlockRows;
  const int count = min(kBlockRows, m - landmark), end = min(first + size, item.keys);
  const std::int64_t stride = 3LL * problem.heads * width;
  const T* const keys = rows_of(args.qkv, problem, item, 3, 1);
  const T* const values = rows_of(args.qkv, problem, item, 3, 2);
  load_derived(q, args.q_landmarks + (static_cast<std::int64_t>(item.index) * m + landmark) * width, count,
               width);
  const auto start = [&](int key, int turn) {
    if (key >= end) return;
    start_rows(k.at(turn), keys + key * stride, stride, 0, end - key, width);
    start_rows(v.at(turn), values + key * stride, stride, 0, end - key, width);
  };
  OnlineSoftmax softmax;
  Sums<kWidth> context;
  start(first, 0);
  for (int key = first, turn = 0; key < end; key += kBlockRows, ++turn) {
    finish_rows();
    if constexpr (kLoadsAhead<T, kWidth>) start(key + kBlockRows, turn + 1);
    Sums<kBlockRows> s;
    add_product<Lies::kPlain, Lies::kTransposed, kWidth>(s, q.from(16 * warp_index()), k.at(turn).from(0));
    if (key + kBlockRows > end)
      for_each(s, [&](float& x, int, int column) {
        if (key + column >= end) x = -INFINITY;
      });
    step<T>(softmax, problem.scale, s, context);
    add_product_of<kDerivedParts<T>>(context, s, v.at(turn).from(0));
    if constexpr (kLoadsAhead<T, kWidth>) continue;
    __syncthreads();
    start(key + kBlockRows, turn + 1);
  }
  const std::int64_t part = static_cast<std::int64_t>(item.index) * problem.max_chunks + chunk;
  store_partial(context, args.parts + (part * m + landmark) * width, count, width, false);
  for (int row = 0; row < 2; ++row) {
    const int j = 16 * warp_index() + lane_index() / 4 + 8 * row;
    const float sum = quad_sum(softmax.sums[row]);
    if (lane_index() % 4 != 0 || j >= count) continue;
    float* const stats = args.part_stats + (part * m + landmark + j) * 2;
    stats[0] = softmax.maxima[row] * problem.scale;
    stats[1] = sum;
  }
}

template <class T, int kWidth, bool kExact>
struct RowsTiles {
  static constexpr bool kAhead = kLoadsAhead<T, kWidth>;
  static constexpr bool kRowsAhead = kAhead && !kExact;  // queries and the rows that the convolution sees
  static constexpr int kParts = kExact ? 1 : kDerivedParts<T>;
  SharedTile<T, kWidth> q;
  TileRing<SharedTile<T, kWidth, kParts>, kAhead && kExact ? 2 : 1> k, v;
  ConvolutionPieces<T, kWidth> around;  // the first for the results then; without kRowsAhead q is both
  static constexpr int kBytes =
      decltype(q)::kBytes + 2 * decltype(k)::kBytes + (kRowsAhead ? decltype(around)::kBytes : 0);

  __device__ explicit RowsTiles(SharedCarver& carver)
      : q(carver.tile<decltype(q)>()), k(carver.ring<decltype(k)>()), v(carver.ring<decltype(v)>()) {
    around.data = q.data;
    if constexpr (kRowsAhead) around = carver.ring<decltype(around)>();
  }
};

/// Starts to load the tile of the sequence's own keys and values from `key`.
template <class T, class TilesOf>
__device__ inline void start_keys(const AttendRows<T>& args, const AttentionItem& item, int key, int turn,
                                  const TilesOf& tiles) {
  const AttentionProblem& problem = args.problem;
  const std::int64_t stride = 3LL * problem.heads * problem.width;
  const int count = item.keys - key;
  start_rows(tiles.k.at(turn), rows_of(args.qkv, problem, item, 3, 1) + key * stride, stride, 0, count,
             problem.width);
  start_rows(tiles.v.at(turn), rows_of(args.qkv, problem, item, 3, 2) + key * stride, stride, 0, count,
             problem.width);
}

/// The tile of landmarks and W from `key`.
template <class T, class TilesOf>
__device__ inline void load_landmarks(const AttendRows<T>& args, const AttentionItem& item, int key,
                                      const TilesOf& tiles) {
  const AttentionProblem& problem = args.problem;
  const int width = problem.width, m = problem.landmarks;
  const std::int64_t at = (static_cast<std::int64_t>(item.index) * m + key) * width;
  load_derived(tiles.k.at(0), args.k_landmarks + at, m - key, width);
  load_derived(tiles.v.at(0), args.w + at, m - key, width);
}

/// The tile of keys from `key`, of those that are `seen`, is there for the block; the next one is under way
/// where there is room. `first_of_block`: it was started before all else, and is there.
template <bool kExact, class T, class TilesOf>
__device__ inline void take_keys(const AttendRows<T>& args, const AttentionItem& item, const SeenTiles& seen,
                                 int key, int turn, bool first_of_block, const TilesOf& tiles) {
  if constexpr (kExact) {
    if (turn > 0 && !TilesOf::kAhead) {
      __syncthreads();
      start_keys(args, item, key, turn, tiles);
    }
    if (turn > 0) finish_rows();
    if (const int next = seen.next(key); TilesOf::kAhead && next < seen.end)
      start_keys(args, item, next, turn + 1, tiles);
  } else {
    if (first_of_block || args.problem.landmarks <= kBlockRows) return;
    __syncthreads();
    load_landmarks(args, item, key, tiles);
    __syncthreads();
  }
}

template <class T, int kWidth, bool kExact>
__global__ void __launch_bounds__(kAttentionThreads)
    attend_rows_kernel(AttendRows<T> args, int rows_of_block) {
  const AttentionProblem& problem = args.problem;
  const AttentionItem item = item_of(problem, static_cast<int>(blockIdx.x));
  const int begin = static_cast<int>(blockIdx.y) * rows_of_block, end = min(begin + rows_of_block, item.rows);
  if (item.exact != kExact || begin >= end) return;
  SharedCarver carver(shared_memory<std::byte>());
  using Tiles = RowsTiles<T, kWidth, kExact>;
  const Tiles tiles(carver);
  const int width = problem.width, taps = problem.taps, keys = kExact ? item.keys : problem.landmarks;
  ConvolutionBand<T> band;
  if (taps > 0) band = make_band<T>(carver, args.filter + item.head * taps, taps, false);

  const std::int64_t channels = static_cast<std::int64_t>(problem.heads) * width, stride = 3 * channels;
  const T* const queries = rows_of(args.qkv, problem, item, 3, 0);
  float* const stats = stats_of(args.row_stats, problem, item);
  const T* const values = values_of(args.qkv, problem, item);
  const bool pieces_ahead = Tiles::kRowsAhead && taps > 0 && taps <= kAheadTaps;
  const auto start_queries = [&](int first) {
    if (first < end) start_rows(tiles.q, queries + first * stride, stride, 0, end - first, width);
  };
  start_queries(begin);
  if constexpr (kExact)  // one tile of queries a block
    start_keys(args, item, tiles_seen(problem, begin, keys).first(), 0, tiles);
  else
    load_landmarks(args, item, 0, tiles);
  for (int first = begin; first < end; first += kBlockRows) {
    OnlineSoftmax softmax;
    Sums<kWidth> context;
    finish_rows();
    if (pieces_ahead)
      start_pieces(tiles.around, values, stride, item.rows, first, taps, width,
                   halo_of(args.halos, problem, item));
    const int mine = first + 16 * warp_index() + lane_index() / 4;  // and 8 further
    const SeenTiles seen = kExact ? tiles_seen(problem, first, keys) : SeenTiles{0, keys, false};
    for (int key = seen.first(), turn = 0; key < seen.end; key = seen.next(key), ++turn) {
      take_keys<kExact>(args, item, seen, key, turn, first == begin && turn == 0, tiles);
      const auto k = tiles.k.at(turn), v = tiles.v.at(turn);
      Sums<kBlockRows> s;
      add_product<Lies::kPlain, Lies::kTransposed, kWidth>(s, tiles.q.from(16 * warp_index()), k.from(0));
      if (key + kBlockRows > keys || (kExact && problem.window_half >= 0))
        for_each(s, [&](float& x, int row, int column) {
          const bool takes_part =
              key + column < keys && (!kExact || sees(problem, mine + 8 * row, key + column));
          if (!takes_part) x = -INFINITY;
        });
      step<T>(softmax, problem.scale, s, context);
      if (kExact && args.dropout.active)
        for_each(s, [&](float& x, int row, int column) {
          if (x != 0) x *= dropout_factor(args.dropout, item, mine + 8 * row, key + column);
        });
      add_product_of<Tiles::kParts>(context, s, v.from(0));
    }
    for (int row = 0; row < 2; ++row) {
      softmax.sums[row] = 1.0F / quad_sum(softmax.sums[row]);
      if (lane_index() % 4 != 0 || mine + 8 * row >= end) continue;
      stats[(mine + 8 * row) * 2LL] = softmax.maxima[row] * problem.scale;
      stats[(mine + 8 * row) * 2LL + 1] = softmax.sums[row];
    }
    for_each(context, [&](float& x, int row, int) { x *= softmax.sums[row]; });
    if constexpr (Tiles::kRowsAhead) {
      finish_rows();
      start_queries(first + kBlockRows);
    }
    if (pieces_ahead)
      add_pieces(context, band, tiles.around);
    else if (taps > 0)
      add_convolution(context, band, values, stride, item.rows, first, taps, width, tiles.around.at(0),
                      halo_of(args.halos, problem, item));
    __syncthreads();
    store_sums(tiles.around.at(0), context, rows_of(args.out, problem, item, 1, 0) + first * channels,
               channels, end - first, width);
    if (Tiles::kRowsAhead || first + kBlockRows >= end) continue;
    __syncthreads();
    start_queries(first + kBlockRows);
  }
}

}  // namespace

template <class T>
void attend_keys(CudaContext& context, const AttendKeys<T>& args) {
  const AttentionProblem& problem = args.problem;
  const dim3 grid(static_cast<unsigned>(problem.batch * problem.heads),
                  static_cast<unsigned>(problem.max_chunks), blocks_of(problem.landmarks, kBlockRows));
  dispatch_head_width(problem.width, [&](auto width) {
    launch(context.stream(), grid, dim3(kAttentionThreads), KeysTiles<T, width()>::kBytes,
           "attention_keys_forward", attend_keys_kernel<T, width()>, args);
  });
}

template <class T>
void attend_rows(CudaContext& context, const AttendRows<T>& args, bool exact, std::int64_t longest) {
  const AttentionProblem& problem = args.problem;
  if constexpr (std::is_same_v<T, BF16>)
    if (!exact && fits_group(problem) && context.has_wgmma())
      return attend_rows_by_group(context, args, longest);
  // A block of exact attention reads its keys again for each tile.
  const int rows = exact ? kBlockRows : rows_of_block(longest);
  const dim3 grid(static_cast<unsigned>(problem.batch * problem.heads), blocks_of(longest, rows));
  dispatch_head_width(problem.width, [&](auto width) {
    const auto run = [&](auto is_exact) {
      const int bytes = RowsTiles<T, width(), is_exact()>::kBytes + convolution_band_bytes<T>(problem.taps);
      launch(context.stream(), grid, dim3(kAttentionThreads), static_cast<std::size_t>(bytes),
             exact ? "exact_attention_forward" : "attention_rows_forward",
             attend_rows_kernel<T, width(), is_exact()>, args, rows);
    };
    exact ? run(std::true_type{}) : run(std::false_type{});
  });
}

template void attend_keys<float>(CudaContext&, const AttendKeys<float>&);
template void attend_keys<BF16>(CudaContext&, const AttendKeys<BF16>&);
template void attend_rows<float>(CudaContext&, const AttendRows<float>&, bool, std::int64_t);
template void attend_rows<BF16>(CudaContext&, const AttendRows<BF16>&, bool, std::int64_t);

}  // namespace nystrom::cuda
