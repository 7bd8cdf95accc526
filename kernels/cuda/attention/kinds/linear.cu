// Linear attention on the GPU, as on the CPU: values have a column of ones behind them, so that numerator and
// denominator are one product with the state S [D, D + 1].
//
//   keys    block (item, chunk): S += f(k)^T [v, 1], tile by tile; the chunks' parts are then added in order.
//   rows    block (item, 32 rows), S from the cache. Backward of the queries: block (item, chunk), which
//           gathers d_S; then of the keys, block (item, 32 rows).
//
// Bytes: 2 n D + 2 n D elements forward; bound by the products. Checked against the CPU through the
// emulation; neither run on a GPU nor tuned.

#include "kernels/cuda/attention/kinds/plain_launch.h"
#include "kernels/cuda/attention/kinds/workspace.h"
#include "kernels/cuda/ops.h"
#include "kernels/tensor/cuda/dispatch.h"

namespace nystrom::cuda {
namespace {

template <class T>
struct LinearPass : PlainPass<T> {
  const float* state;  // [B, H, D, D + 1]
  float* parts;        // [items, chunks, D, D + 1] of S or d_S
  float* d_state;      // [items, D, D + 1]
};

/// A head's [D, D + 1] matrix in global memory.
__device__ inline Plain state_at(const float* states, std::int64_t index, int width) {
  return {const_cast<float*>(states) + index * width * (width + 1), width + 1};
}

/// elu(x) + 1, in place.
__device__ inline void to_features(const Plain& x, int rows, int columns) {
  for_elements(rows, columns, [&](int i, int j) {
    const float value = x.at(i, j);
    x.at(i, j) = value > 0 ? value + 1 : expf(value);
  });
}
/// d *= its slope, of the features y.
__device__ inline void through_features(const Plain& y, const Plain& d, int rows, int columns) {
  for_elements(rows, columns, [&](int i, int j) { d.at(i, j) *= fminf(1.0F, y.at(i, j)); });
}

/// Tiles of 32 rows.
struct LinearTiles {
  Plain features, values, d;
  __device__ LinearTiles(PlainCarver& carver, int width)
      : features(carver.matrix(kPlainRows, width)),
        values(carver.matrix(kPlainRows, width + 1)),
        d(carver.matrix(kPlainRows, width + 1)) {}
};
std::size_t tile_floats(std::int64_t width) {
  const int d = static_cast<int>(width);
  return plain_floats(kPlainRows, d) + 2 * plain_floats(kPlainRows, d + 1) + kPlainRows;
}

/// f(k) and [v, 1] of rows [first, first + count). Ends with __syncthreads.
template <class T>
__device__ inline void load_keys(const LinearPass<T>& pass, const AttentionItem& item, int first, int count,
                                 const LinearTiles& tiles) {
  const int width = pass.problem.width;
  load_plain(tiles.features, pass.part(item, 1) + first * pass.stride(), pass.stride(), count, width);
  load_plain(tiles.values, pass.part(item, 2) + first * pass.stride(), pass.stride(), count, width);
  for_elements(count, 1, [&](int i, int) { tiles.values.at(i, width) = 1; });
  __syncthreads();
  to_features(tiles.features, count, width);
  __syncthreads();
}

/// f(q), and f(q) S in tiles.values. Ends with __syncthreads.
template <class T>
__device__ inline void apply_state(const LinearPass<T>& pass, const AttentionItem& item, int first, int count,
                                   const LinearTiles& tiles) {
  const int width = pass.problem.width;
  load_plain(tiles.features, pass.part(item, 0) + first * pass.stride(), pass.stride(), count, width);
  __syncthreads();
  to_features(tiles.features, count, width);
  __syncthreads();
  multiply<Turned::kNo, Turned::kNo>(tiles.values, tiles.features, state_at(pass.state, item.index, width),
                                     count, width + 1, width);
  __syncthreads();
}

template <class T>
__global__ void __launch_bounds__(kPlainThreads) linear_keys_kernel(LinearPass<T> pass) {
  const AttentionItem item = item_of(pass.problem, static_cast<int>(blockIdx.x));
  const int chunk = static_cast<int>(blockIdx.y), size = attention_chunk_rows(item.rows);
  const int begin = chunk * size, end = min(begin + size, item.rows), width = pass.problem.width;
  if (begin >= end) return;
  PlainCarver carver(shared_memory<float>());
  const LinearTiles tiles(carver, width);
  const Plain part =
      state_at(pass.parts, static_cast<std::int64_t>(item.index) * pass.problem.max_chunks + chunk, width);
  for (int first = begin; first < end; first += kPlainRows) {
    const int count = min(kPlainRows, end - first);
    load_keys(pass, item, first, count, tiles);
    multiply<Turned::kYes, Turned::kNo>(part, tiles.features, tiles.values, width, width + 1, count, 1,
                                        first > begin);
    __syncthreads();
  }
}

template <class T>
__global__ void __launch_bounds__(kPlainThreads) linear_rows_kernel(LinearPass<T> pass) {
  const AttentionItem item = item_of(pass.problem, static_cast<int>(blockIdx.x));
  const int first = static_cast<int>(blockIdx.y) * kPlainRows, count = min(kPlainRows, item.rows - first);
  if (count <= 0) return;
  PlainCarver carver(shared_memory<float>());
  const int width = pass.problem.width;
  const LinearTiles tiles(carver, width);
  apply_state(pass, item, first, count, tiles);
  for_elements(count, width,
               [&](int i, int d) { tiles.d.at(i, d) = tiles.values.at(i, d) / tiles.values.at(i, width); });
  __syncthreads();
  pass.store_context(item, first, count, tiles.d);
}

template <class T>
__global__ void __launch_bounds__(kPlainThreads) linear_queries_gradient_kernel(LinearPass<T> pass) {
  const AttentionItem item = item_of(pass.problem, static_cast<int>(blockIdx.x));
  const int chunk = static_cast<int>(blockIdx.y), size = attention_chunk_rows(item.rows);
  const int begin = chunk * size, end = min(begin + size, item.rows), width = pass.problem.width;
  if (begin >= end) return;
  PlainCarver carver(shared_memory<float>());
  const LinearTiles tiles(carver, width);
  const Plain part =
      state_at(pass.parts, static_cast<std::int64_t>(item.index) * pass.problem.max_chunks + chunk, width);
  const T* const d_out = rows_of(pass.d_out, pass.problem, item, 1, 0);
  for (int first = begin; first < end; first += kPlainRows) {
    const int count = min(kPlainRows, end - first);
    apply_state(pass, item, first, count, tiles);
    // Of y = numerator / denominator: g / denominator, and -(g . y) / denominator behind it.
    for (int i = warp_index(); i < count; i += kPlainThreads / kWarp) {
      const float inverse = 1.0F / tiles.values.at(i, width);
      float sum = 0;
      for (int d = lane_index(); d < width; d += kWarp) {
        const float g = load(d_out + (first + i) * pass.channels() + d) * inverse;
        tiles.d.at(i, d) = g;
        sum += g * tiles.values.at(i, d);
      }
      sum = warp_sum(sum);
      if (lane_index() == 0) tiles.d.at(i, width) = -sum * inverse;
    }
    __syncthreads();
    multiply<Turned::kYes, Turned::kNo>(part, tiles.features, tiles.d, width, width + 1, count, 1,
                                        first > begin);
    multiply<Turned::kNo, Turned::kYes>(tiles.values, tiles.d, state_at(pass.state, item.index, width), count,
                                        width, width + 1);
    __syncthreads();
    through_features(tiles.features, tiles.values, count, width);
    __syncthreads();
    store_plain(tiles.values, pass.d_part(item, 0) + first * pass.stride(), pass.stride(), count, width);
    __syncthreads();
  }
}

template <class T>
__global__ void __launch_bounds__(kPlainThreads) linear_keys_gradient_kernel(LinearPass<T> pass) {
  const AttentionItem item = item_of(pass.problem, static_cast<int>(blockIdx.x));
  const int first = static_cast<int>(blockIdx.y) * kPlainRows, count = min(kPlainRows, item.rows - first);
  if (count <= 0) return;
  PlainCarver carver(shared_memory<float>());
  const int width = pass.problem.width;
  const LinearTiles tiles(carver, width);
  const Plain d_state = state_at(pass.d_state, item.index, width);
  load_keys(pass, item, first, count, tiles);
  multiply<Turned::kNo, Turned::kYes>(tiles.d, tiles.values, d_state, count, width, width + 1);
  __syncthreads();
  through_features(tiles.features, tiles.d, count, width);
  __syncthreads();
  store_plain(tiles.d, pass.d_part(item, 1) + first * pass.stride(), pass.stride(), count, width);
  multiply<Turned::kNo, Turned::kNo>(tiles.values, tiles.features, d_state, count, width, width);
  __syncthreads();
  pass.store_value_gradient(item, first, count, tiles.values);
}

ChunkedWorkspace workspace_of(const AttentionInputs& inputs, bool backward) {
  const ChunkedShape shape(CudaAttentionShape(inputs), linear_part(inputs.width()));
  return workspace_in<ChunkedWorkspace>(inputs.workspace, shape, backward);
}

template <class T>
LinearPass<T> linear_pass(const LinearAttention& args, const ChunkedWorkspace& workspace,
                          const AttentionGradients* gradients = nullptr) {
  LinearPass<T> pass{};
  static_cast<PlainPass<T>&>(pass) = plain_pass<T>(args.inputs, {}, gradients);
  pass.state = args.state.data<float>();
  pass.parts = workspace.parts;
  pass.d_state = workspace.totals;
  return pass;
}

template <class T>
void forward(CudaContext& context, const LinearAttention& args) {
  const ChunkedWorkspace workspace = workspace_of(args.inputs, false);
  const auto pass = linear_pass<T>(args, workspace);
  const std::int64_t width = args.inputs.width();
  launch_plain(context, grid_of_chunks(args.inputs), tile_floats(width), "linear_attention_keys",
               linear_keys_kernel<T>, pass);
  const std::int64_t size = linear_part(width);
  sum_chunks(context, pass.problem, {pass.parts, size, size}, args.state.data<float>(), size);
  launch_plain(context, grid_of_tiles(args.inputs), tile_floats(width), "linear_attention_rows",
               linear_rows_kernel<T>, pass);
}

template <class T>
void backward(CudaContext& context, const LinearAttention& args, const AttentionGradients& gradients) {
  const ChunkedWorkspace workspace = workspace_of(args.inputs, true);
  const auto pass = linear_pass<T>(args, workspace, &gradients);
  const std::int64_t width = args.inputs.width();
  launch_plain(context, grid_of_chunks(args.inputs), tile_floats(width), "linear_attention_rows_backward",
               linear_queries_gradient_kernel<T>, pass);
  const std::int64_t size = linear_part(width);
  sum_chunks(context, pass.problem, {pass.parts, size, size}, pass.d_state, size);
  launch_plain(context, grid_of_tiles(args.inputs), tile_floats(width), "linear_attention_keys_backward",
               linear_keys_gradient_kernel<T>, pass);
  add_filter_gradient(context, pass, workspace.d_filter, gradients);
}

}  // namespace

void linear_attention_forward(CudaContext& context, const LinearAttention& args) {
  if (nothing_to_do(args.inputs)) return;
  dispatch_device(args.inputs.qkv.dtype, [&]<class T>(T) { forward<T>(context, args); });
}

void linear_attention_backward(CudaContext& context, const LinearAttention& args,
                               const AttentionGradients& gradients) {
  if (nothing_to_do(args.inputs)) return;
  dispatch_device(args.inputs.qkv.dtype, [&]<class T>(T) { backward<T>(context, args, gradients); });
}

}  // namespace nystrom::cuda
