// Attention backward on the side of the queries, with the landmarks as keys, by wgmma (backward.h;
// query_gradient.cu has the same for every GPU). Block (item, chunk of rows): landmarks and W stay in shared
// memory, d_W and d_k~ of the chunk in registers. A tile of 64 rows takes two groups of products: q k~^T and
// g W^T, then dS k~, P^T g and dS^T q, for which P and dS go through shared memory. Bytes: 3 n D elements +
// 16 M D a chunk. Checked against the CPU through the emulation; not yet run on a GPU.

#include "kernels/cuda/attention/backward.h"
#include "kernels/cuda/attention/softmax_gradient.h"
#include "kernels/cuda/attention/wgmma/products.h"
#include "kernels/tensor/cuda/launch.h"

namespace nystrom::cuda {
namespace {

struct RowsGradientTiles {
  TileRing<GroupTile<1>, 2> q, g;
  GroupTile<2> k, w, p, d_s;
  static constexpr int kBytes = 2 * decltype(q)::kBytes + 4 * decltype(k)::kBytes;

  __device__ explicit RowsGradientTiles(SharedCarver& carver)
      : q(carver.ring<decltype(q)>()),
        g(carver.ring<decltype(g)>()),
        k(carver.tile<decltype(k)>()),
        w(carver.tile<decltype(w)>()),
        p(carver.tile<decltype(p)>()),
        d_s(carver.tile<decltype(d_s)>()) {}
};
static_assert(RowsGradientTiles::kBytes <= kNarrowSharedBytes);

__global__ void __launch_bounds__(kAttentionThreads) rows_gradient_by_group_kernel(RowsGradient<BF16> args) {
  const AttentionProblem& problem = args.problem;
  const auto [item, chunk, begin, end] = chunk_of_block(problem);
  if (item.exact || begin >= end) return;
  SharedCarver carver(shared_memory<std::byte>());
  const RowsGradientTiles tiles(carver);
  const int m = problem.landmarks, width = problem.width;
  const std::int64_t channels = static_cast<std::int64_t>(problem.heads) * width;
  const BF16* const queries = rows_of(args.qkv, problem, item, 3, 0);
  const BF16* const gradients = rows_of(args.d_out, problem, item, 1, 0);
  BF16* const d_queries = rows_of(args.d_qkv, problem, item, 3, 0);
  const float* const stats = stats_of(args.row_stats, problem, item);
  const auto start = [&](int first, int turn) {
    if (first >= end) return;
    start_rows(tiles.q.at(turn), queries + first * 3 * channels, 3 * channels, 0, end - first, width);
    start_rows(tiles.g.at(turn), gradients + first * channels, channels, 0, end - first, width);
  };
  start(begin, 0);
  const std::int64_t landmarks = static_cast<std::int64_t>(item.index) * m * width;
  load_derived(tiles.k, args.k_landmarks + landmarks, m, width);
  load_derived(tiles.w, args.w + landmarks, m, width);
  const SoftmaxExp<BF16> exp(problem.scale);
  GroupSums d_w, d_k;
  for (int first = begin, turn = 0; first < end; first += kBlockRows, ++turn) {
    const auto q = tiles.q.at(turn), g = tiles.g.at(turn);
    const RowStats<BF16> mine = row_stats<BF16>(stats, first + 16 * warp_index() + lane_index() / 4, end);
    finish_group_rows();
    GroupSums p, d_s, d_q;
    start_products(fresh(p.x), fresh(d_s.x));
    add_group_product<Lies::kPlain, Lies::kTransposed>(p, q, tiles.k, false);
    add_group_product<Lies::kPlain, Lies::kTransposed>(d_s, g, tiles.w, false);
    start(first + kBlockRows, turn + 1);  // their tiles' readers were done before the barrier
    finish_products(p.x, d_s.x);
    for_each(p, [&](float& x, int row, int column) {
      x = column < m ? exp.probability(x, mine.rows[row].shift, mine.rows[row].inverse_sum) : 0.0F;
    });
    put_sums(tiles.p, p);
    float deltas[2] = {0, 0};
    add_deltas(deltas, p, d_s);
    to_logit_gradients(d_s, p, deltas, problem.scale);
    put_sums(tiles.d_s, d_s);
    const PartsOfRows<2> left(d_s);
    finish_group_tiles();
    start_products(fresh(d_q.x), d_w.x, d_k.x);
    add_group_product(d_q, left, tiles.k, false);
    add_group_product<Lies::kTransposed, Lies::kPlain>(d_w, tiles.p, g, true);
    add_group_product<Lies::kTransposed, Lies::kPlain>(d_k, tiles.d_s, q, true);
    finish_products(d_q.x, d_w.x, d_k.x);
    __syncthreads();  // q takes d_q on its way
    store_sums(q, d_q, d_queries + first * 3 * channels, 3 * channels, end - first, width);
  }
  const std::int64_t part = (static_cast<std::int64_t>(item.index) * problem.max_chunks + chunk) * m * width;
  store_partial(d_w, args.d_w_parts + part, m, width, false);
  store_partial(d_k, args.d_k_parts + part, m, width, false);
}

}  // namespace

void rows_gradient_by_group(CudaContext& context, const RowsGradient<BF16>& args) {
  const AttentionProblem& problem = args.problem;
  launch(
      context.stream(),
      dim3(static_cast<unsigned>(problem.batch * problem.heads), static_cast<unsigned>(problem.max_chunks)),
      dim3(kAttentionThreads), RowsGradientTiles::kBytes, "attention_rows_backward",
      rows_gradient_by_group_kernel, args);
}

}  // namespace nystrom::cuda
