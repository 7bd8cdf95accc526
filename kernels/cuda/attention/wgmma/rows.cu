// Attention forward over the rows, with the landmarks as keys, by wgmma (forward.h; forward.cu has the same
// for every GPU). Block (item, 4 tiles of 64 rows): landmarks and W stay in shared memory. Products of a
// tile: q k~^T, its probabilities by W, and the convolution's by mma.sync, whose rows are loaded meanwhile.
// Bytes: 3 n D elements, + 8 M D a block. Checked against the CPU through the emulation; not yet run on a
// GPU.

#include "kernels/cuda/attention/convolution.h"
#include "kernels/cuda/attention/forward.h"
#include "kernels/cuda/attention/online_softmax.h"
#include "kernels/cuda/attention/wgmma/products.h"
#include "kernels/tensor/cuda/launch.h"

namespace nystrom::cuda {
namespace {

struct RowsTiles {
  GroupTile<1> q;
  GroupTile<2> k, w;
  ConvolutionPieces<BF16, kGroupTile> around;  // the first for the results then
  static constexpr int kBytes = decltype(q)::kBytes + 2 * decltype(k)::kBytes + decltype(around)::kBytes;

  __device__ explicit RowsTiles(SharedCarver& carver)
      : q(carver.tile<decltype(q)>()),
        k(carver.tile<decltype(k)>()),
        w(carver.tile<decltype(w)>()),
        around(carver.ring<decltype(around)>()) {}
};

__global__ void __launch_bounds__(kAttentionThreads)
    attend_rows_by_group_kernel(AttendRows<BF16> args, int rows_of_block) {
  const AttentionProblem& problem = args.problem;
  const AttentionItem item = item_of(problem, static_cast<int>(blockIdx.x));
  const int begin = static_cast<int>(blockIdx.y) * rows_of_block, end = min(begin + rows_of_block, item.rows);
  if (item.exact || begin >= end) return;
  SharedCarver carver(shared_memory<std::byte>());
  const RowsTiles tiles(carver);
  const int width = problem.width, taps = problem.taps, m = problem.landmarks;
  ConvolutionBand<BF16> band;
  if (taps > 0) band = make_band<BF16>(carver, args.filter + item.head * taps, taps, false);
  const std::int64_t channels = static_cast<std::int64_t>(problem.heads) * width, stride = 3 * channels;
  const BF16* const queries = rows_of(args.qkv, problem, item, 3, 0);
  const BF16* const values = values_of(args.qkv, problem, item);
  float* const stats = stats_of(args.row_stats, problem, item);
  const bool pieces_ahead = taps > 0 && taps <= kAheadTaps;
  const auto start_queries = [&](int first) {
    if (first < end) start_rows(tiles.q, queries + first * stride, stride, 0, end - first, width);
  };
  start_queries(begin);
  const std::int64_t landmarks = static_cast<std::int64_t>(item.index) * m * width;
  load_derived(tiles.k, args.k_landmarks + landmarks, m, width);
  load_derived(tiles.w, args.w + landmarks, m, width);
  for (int first = begin; first < end; first += kBlockRows) {
    finish_group_rows();
    if (pieces_ahead)
      start_pieces(tiles.around, values, stride, item.rows, first, taps, width,
                   halo_of(args.halos, problem, item));
    const int mine = first + 16 * warp_index() + lane_index() / 4;  // and 8 further
    GroupSums s, context;
    start_products(fresh(s.x));
    add_group_product<Lies::kPlain, Lies::kTransposed>(s, tiles.q, tiles.k, false);
    finish_products(s.x);
    if (m < kGroupTile)
      for_each(s, [&](float& x, int, int column) {
        if (column >= m) x = -INFINITY;
      });
    OnlineSoftmax softmax;
    float keep[2];
    step<BF16>(softmax, problem.scale, s, keep);
    const PartsOfRows<2> p(s);
    start_products(fresh(context.x));
    add_group_product(context, p, tiles.w, false);
    for (int row = 0; row < 2; ++row) {
      softmax.sums[row] = 1.0F / quad_sum(softmax.sums[row]);
      if (lane_index() % 4 != 0 || mine + 8 * row >= end) continue;
      stats[(mine + 8 * row) * 2LL] = softmax.maxima[row] * problem.scale;
      stats[(mine + 8 * row) * 2LL + 1] = softmax.sums[row];
    }
    finish_products(context.x);
    for_each(context, [&](float& x, int row, int) { x *= softmax.sums[row]; });
    finish_rows();
    start_queries(first + kBlockRows);
    if (pieces_ahead)
      add_pieces(context, band, tiles.around);
    else if (taps > 0)
      add_convolution(context, band, values, stride, item.rows, first, taps, width, tiles.around.at(0),
                      halo_of(args.halos, problem, item));
    __syncthreads();
    store_sums(tiles.around.at(0), context, rows_of(args.out, problem, item, 1, 0) + first * channels,
               channels, end - first, width);
  }
}

}  // namespace

void attend_rows_by_group(CudaContext& context, const AttendRows<BF16>& args, std::int64_t longest) {
  const AttentionProblem& problem = args.problem;
  const int rows = rows_of_block(longest);
  launch(context.stream(),
         dim3(static_cast<unsigned>(problem.batch * problem.heads), blocks_of(longest, rows)),
         dim3(kAttentionThreads),
         static_cast<std::size_t>(RowsTiles::kBytes + convolution_band_bytes<BF16>(problem.taps)),
         "attention_rows_forward", attend_rows_by_group_kernel, args, rows);
}

}  // namespace nystrom::cuda
