// Attention backward on the side of the keys, with the landmarks as queries, by wgmma (backward.h;
// key_gradient.cu has the same for every GPU). Block (item, chunk of rows): landmarks with their gradients
// stay in shared memory, dq~ of the chunk in registers. A tile of 64 keys takes two groups of products: k
// q~^T and v g~^T, then P^T g~, dS^T q~ and dS k, for which dS^T goes through shared memory; and the
// convolution's by mma.sync. Bytes: 5 n D elements + 12 M D a chunk. Checked against the CPU through the
// emulation; not yet run on a GPU.

#include "kernels/cuda/attention/key_sums.h"
#include "kernels/cuda/attention/wgmma/products.h"
#include "kernels/tensor/cuda/launch.h"

namespace nystrom::cuda {
namespace {

struct KeysGradientTiles {
  TileRing<GroupTile<1>, 1> k, v;
  GroupTile<2> q, g, d_s;
  ConvolutionPieces<BF16, kGroupTile> pieces;
  float* stats;  // [3, 64] of the landmarks: SoftmaxExp::Normal, delta
  static constexpr int kBytes = 2 * decltype(k)::kBytes + 3 * decltype(q)::kBytes + decltype(pieces)::kBytes +
                                3 * kGroupTile * static_cast<int>(sizeof(float));

  __device__ explicit KeysGradientTiles(SharedCarver& carver)
      : k(carver.ring<decltype(k)>()),
        v(carver.ring<decltype(v)>()),
        q(carver.tile<decltype(q)>()),
        g(carver.tile<decltype(g)>()),
        d_s(carver.tile<decltype(d_s)>()),
        pieces(carver.ring<decltype(pieces)>()),
        stats(carver.take<float>(3 * kGroupTile)) {}
};
static_assert(KeysGradientTiles::kBytes + convolution_band_bytes<BF16>(65) <= kNarrowSharedBytes);

/// The landmarks' queries with the gradients of their results and their statistics.
__device__ inline void load_landmarks(const KeysGradient<BF16>& args, const AttentionItem& item,
                                      const KeysGradientTiles& tiles) {
  const int m = args.problem.landmarks, width = args.problem.width, i = static_cast<int>(threadIdx.x);
  const std::int64_t at = static_cast<std::int64_t>(item.index) * m;
  load_derived(tiles.q, args.q_landmarks + at * width, m, width);
  load_derived(tiles.g, args.d_k3_v + at * width, m, width);
  if (i >= kGroupTile) return;
  const float* const stats = args.k3_stats + 2 * (at + i);
  const auto normal = SoftmaxExp<BF16>::normal(i < m ? stats[0] : 0.0F, i < m ? stats[1] : 0.0F);
  tiles.stats[i] = normal.shift;
  tiles.stats[kGroupTile + i] = normal.inverse_sum;
  tiles.stats[2 * kGroupTile + i] = i < m ? args.landmark_deltas[at + i] : 0.0F;
}

__global__ void __launch_bounds__(kAttentionThreads) keys_gradient_by_group_kernel(KeysGradient<BF16> args) {
  const AttentionProblem& problem = args.problem;
  const auto [item, chunk, begin, end] = chunk_of_block(problem);
  if (item.exact || begin >= end) return;
  SharedCarver carver(shared_memory<std::byte>());
  const KeysGradientTiles tiles(carver);
  const int m = problem.landmarks, width = problem.width, taps = problem.taps;
  ConvolutionBand<BF16> band;
  if (taps > 0) band = make_band<BF16>(carver, args.filter + item.head * taps, taps, true);
  const std::int64_t channels = static_cast<std::int64_t>(problem.heads) * width;
  const BF16* const gradients = rows_of(args.d_out, problem, item, 1, 0);
  const SoftmaxExp<BF16> exp(problem.scale);
  const auto k = tiles.k.at(0), v = tiles.v.at(0);
  GroupSums d_q;  // the first chunk's begins with what comes to d_q~ through A
  if (chunk == 0 && item.first == 0)
    d_q = read_partial<kGroupTile>(args.d_q_landmarks + static_cast<std::int64_t>(item.index) * m * width, m,
                                   width);
  start_key_tiles(args, item, begin, tiles);
  load_landmarks(args, item, tiles);
  for (int first = begin; first < end; first += kBlockRows) {
    const int mine = first + 16 * warp_index() + lane_index() / 4;
    KeySums<kGroupTile> sums;
    finish_group_rows();
    if (is_ahead(args))
      start_pieces(tiles.pieces, gradients, channels, item.rows, first, taps, width,
                   halo_of(args.halos, problem, item));
    GroupSums p, d_s;
    start_products(fresh(p.x), fresh(d_s.x));
    add_group_product<Lies::kPlain, Lies::kTransposed>(p, k, tiles.q, false);
    add_group_product<Lies::kPlain, Lies::kTransposed>(d_s, v, tiles.g, false);
    finish_products(p.x, d_s.x);
    for_each(p, [&](float& x, int row, int column) {
      x = mine + 8 * row < item.keys
              ? exp.probability(x, tiles.stats[column], tiles.stats[kGroupTile + column])
              : 0.0F;
    });
    for_each(d_s, [&](float& x, int, int column) { x -= tiles.stats[2 * kGroupTile + column]; });
#pragma unroll
    for (int j = 0; j < kGroupTile / 8; ++j)
#pragma unroll
      for (int i = 0; i < 4; ++i) d_s.x[j][i] *= p.x[j][i] * problem.scale;
    put_sums(tiles.d_s, d_s);
    const PartsOfRows<2> of_p(p), of_d_s(d_s);
    finish_group_tiles();
    start_products(fresh(sums.d_v.x), fresh(sums.d_k.x), d_q.x);
    add_group_product(sums.d_v, of_p, tiles.g, false);
    add_group_product(sums.d_k, of_d_s, tiles.q, false);
    add_group_product<Lies::kTransposed, Lies::kPlain>(d_q, tiles.d_s, k, true);
    finish_products(sums.d_v.x, sums.d_k.x, d_q.x);
    add_landmark_gradients(sums.d_k, args, item, first);
    finish_rows();
    if (first + kBlockRows < end) start_key_tiles(args, item, first + kBlockRows, tiles);
    finish_keys<true>(sums, args, item, first, band, tiles.pieces);
  }
  store_partial(
      d_q, args.d_q_parts + (static_cast<std::int64_t>(item.index) * problem.max_chunks + chunk) * m * width,
      m, width, false);
}

}  // namespace

void keys_gradient_by_group(CudaContext& context, const KeysGradient<BF16>& args) {
  const AttentionProblem& problem = args.problem;
  launch(
      context.stream(),
      dim3(static_cast<unsigned>(problem.batch * problem.heads), static_cast<unsigned>(problem.max_chunks)),
      dim3(kAttentionThreads),
      static_cast<std::size_t>(KeysGradientTiles::kBytes + convolution_band_bytes<BF16>(problem.taps)),
      "attention_keys_backward", keys_gradient_by_group_kernel, args);
}

}  // namespace nystrom::cuda
