// The gradient of the convolution's filter, dw[k] = sum_j v[j] . g[j - k + K / 2]: for 16 rows of v the
// products with the rows of g around them are a band matrix [16, 15 + K], added up over the rows of a chunk
// in registers; dw is the sum along its diagonals. Filters of more than 65 taps take several windows of 80
// columns.
//
// Block (item, chunk, window). Bytes: v and 2 to 3 times g (the halo, from the cache), 4 K a chunk written.
// Two stages, no atomics: the same bits each time. Checked against the CPU through the emulation; not yet run
// on a GPU.

#include <algorithm>

#include "kernels/cuda/attention/conv_gradient.h"
#include "kernels/cuda/attention/convolution.h"
#include "kernels/tensor/cuda/launch.h"

namespace nystrom::cuda {
namespace {

constexpr int kHaloRows = 48 + kBandWindow;
constexpr int kBandStride = kBandWindow + 1;

template <class T, int kWidth>
struct FilterTiles {
  SharedTile<T, kWidth> v;
  SharedTile<T, kWidth, 1, kHaloRows> g;
  static constexpr int kTileBytes = decltype(v)::kBytes + decltype(g)::kBytes;
  static constexpr int kBandBytes = kBlockRows * kBandStride * static_cast<int>(sizeof(float));
  static constexpr int kBytes = kTileBytes > kBandBytes ? kTileBytes : kBandBytes;
};

template <class T, int kWidth>
__global__ void __launch_bounds__(kAttentionThreads) filter_gradient_kernel(FilterGradient<T> args) {
  const AttentionProblem& problem = args.problem;
  const auto [item, chunk, begin, end] = chunk_of_block(problem);
  const int window = static_cast<int>(blockIdx.z);
  if (begin >= end) return;
  SharedCarver carver(shared_memory<std::byte>());
  using Tiles = FilterTiles<T, kWidth>;
  const auto v = carver.tile<decltype(Tiles::v)>();
  const auto g = carver.tile<decltype(Tiles::g)>();
  const int taps = problem.taps, width = problem.width, own = 16 * warp_index();
  const std::int64_t channels = static_cast<std::int64_t>(problem.heads) * width;
  const T* const values = values_of(args.qkv, problem, item);
  const std::int64_t stride = value_stride(problem);
  const T* const gradients = rows_of(args.d_out, problem, item, 1, 0);

  Sums<kBandWindow> band;  // of rows own .. own + 15: column u is the row of g that lies u - K / 2 from `own`
  for (int first = begin; first < end; first += kBlockRows) {
    const int halo = first - taps / 2 + window * kBandWindow;
    __syncthreads();
    start_rows(v, values + first * stride, stride, 0, end - first, width);
    start_rows(g, gradients + halo * channels, channels, -halo, item.rows - halo, width);
    load_halo(g, halo_of(args.halos, problem, item), halo, item.rows, width);
    finish_rows();
    add_product<Lies::kPlain, Lies::kTransposed, kWidth>(band, v.from(own), g.from(own));
  }
  __syncthreads();
  float* const rows = shared_memory<float>();  // [64, kBandStride]
  const int mine = own + lane_index() / 4;
  for_each(band, [&](float x, int row, int column) { rows[(mine + 8 * row) * kBandStride + column] = x; });
  __syncthreads();
  const int windows = convolution_windows(taps);
  float* const part =
      args.parts +
      ((static_cast<std::int64_t>(item.index) * problem.max_chunks + chunk) * windows + window) * taps;
  for (int k = static_cast<int>(threadIdx.x); k < taps; k += kAttentionThreads) {
    float sum = 0;
    for (int row = 0; row < kBlockRows; ++row) {
      const int column = row % 16 + taps - 1 - k - window * kBandWindow;
      if (column >= 0 && column < kBandWindow) sum += rows[row * kBandStride + column];
    }
    part[k] = sum;
  }
}

constexpr int kSlices = 8;

/// Block (head, 32 taps): eight warps share the sequences, and are added up in order.
__global__ void __launch_bounds__(kWarp* kSlices)
    add_filter_parts_kernel(AttentionProblem problem, const float* parts, float* d_filter) {
  const int head = static_cast<int>(blockIdx.x), tap = static_cast<int>(blockIdx.y) * kWarp + lane_index();
  const int taps = problem.taps, windows = convolution_windows(taps);
  float sum = 0;
  for (int b = warp_index(); b < problem.batch; b += kSlices) {
    const AttentionItem item = item_of(problem, b * problem.heads + head);
    const int count = attention_chunks(item.rows) * windows;
    const float* const part =
        parts + static_cast<std::int64_t>(item.index) * problem.max_chunks * windows * taps;
    for (int i = 0; i < count && tap < taps; ++i) sum += part[static_cast<std::int64_t>(i) * taps + tap];
  }
  float* const shared = shared_memory<float>();
  shared[threadIdx.x] = sum;
  __syncthreads();
  if (warp_index() > 0 || tap >= taps) return;
  float total = 0;
  for (int slice = 0; slice < kSlices; ++slice) total += shared[slice * kWarp + lane_index()];
  d_filter[head * taps + tap] += total;
}

}  // namespace

template <class T>
void filter_gradient(CudaContext& context, const FilterGradient<T>& args) {
  const AttentionProblem& problem = args.problem;
  const dim3 grid(static_cast<unsigned>(problem.batch * problem.heads),
                  static_cast<unsigned>(problem.max_chunks),
                  static_cast<unsigned>(convolution_windows(problem.taps)));
  dispatch_head_width(problem.width, [&](auto width) {
    launch(context.stream(), grid, dim3(kAttentionThreads), FilterTiles<T, width()>::kBytes,
           "convolution_by_filter", filter_gradient_kernel<T, width()>, args);
  });
  const dim3 sums(static_cast<unsigned>(problem.heads),
                  static_cast<unsigned>((problem.taps + kWarp - 1) / kWarp));
  launch(context.stream(), sums, dim3(kWarp * kSlices), kWarp * kSlices * sizeof(float),
         "convolution_filter_sum", add_filter_parts_kernel, problem, args.parts, args.d_filter);
}

template void filter_gradient<float>(CudaContext&, const FilterGradient<float>&);
template void filter_gradient<BF16>(CudaContext&, const FilterGradient<BF16>&);

}  // namespace nystrom::cuda
