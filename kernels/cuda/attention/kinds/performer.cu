// Performer attention on the GPU: a softmax over the keys for each feature, then one over the features for
// each query (summary.cu). Plain kernels (plain.h).
//
//   keys           block (item, chunk, 32 features) over tiles of 32 keys, with an online softmax; the
//                  chunks' softmaxes are then merged in order.
//   keys backward  block (item, 32 keys) over tiles of 32 features: both softmaxes' statistics are saved.
//
// No atomics: the same bits each time. Checked against the CPU through the emulation; neither run on a GPU
// nor tuned.

#include "kernels/cuda/attention/kinds/summary.h"
#include "kernels/cuda/attention/kinds/workspace.h"
#include "kernels/cuda/ops.h"
#include "kernels/tensor/cuda/dispatch.h"

namespace nystrom::cuda {
namespace {

template <class T>
struct PerformerPass : PlainPass<T> {
  int count;              // m
  float scale;            // D^(-1/4)
  const float* features;  // [H, m, D]
  float* values;          // [items, m, D] B
  float* key_stats;       // [items, m, 2]
  float* parts;           // [items, chunks, part]: [m, D] of B, [m] maxima, [m] sums; or d_B and d_(log Z)
  float* totals;          // [items, part]: d_B, d_(log Z), and log Z behind them

  [[nodiscard]] __device__ std::int64_t matrix() const {
    return static_cast<std::int64_t>(count) * this->problem.width;
  }
  [[nodiscard]] __device__ std::int64_t part_size() const { return matrix() + 2 * count; }
  [[nodiscard]] __device__ Plain features_of(const AttentionItem& item, int first) const {
    const int width = this->problem.width;
    return {const_cast<float*>(features) + (static_cast<std::int64_t>(item.head) * count + first) * width,
            width};
  }
};

/// -|k^|^2 / 2 of the keys in a tile.
__device__ inline void key_biases(const Plain& k, int count, int width, float scale, float* biases) {
  for_elements(kPlainRows, 1, [&](int i, int) { biases[i] = 0; });
  __syncthreads();
  add_row_dots(k, k, count, width, biases);
  __syncthreads();
  for_elements(count, 1, [&](int i, int) { biases[i] *= -0.5F * scale; });
  __syncthreads();
}

template <class T>
__global__ void __launch_bounds__(kPlainThreads) performer_keys_kernel(PerformerPass<T> pass) {
  const AttentionItem item = item_of(pass.problem, static_cast<int>(blockIdx.x));
  const int chunk = static_cast<int>(blockIdx.y), size = attention_chunk_rows(item.rows);
  const int begin = chunk * size, end = min(begin + size, item.rows), width = pass.problem.width;
  const int r = static_cast<int>(blockIdx.z) * kPlainRows, features = min(kPlainRows, pass.count - r);
  if (begin >= end) return;
  PlainCarver carver(shared_memory<float>());
  const Plain k = carver.matrix(kPlainRows, width), v = carver.matrix(kPlainRows, width),
              s = carver.matrix(kPlainRows, kPlainRows);
  const PlainSoftmax softmax = make_softmax(carver, width);
  float* const biases = carver.vector(kPlainRows);
  const Plain w = pass.features_of(item, r);
  softmax.start(width);
  for (int first = begin; first < end; first += kPlainRows) {
    const int count = min(kPlainRows, end - first);
    load_plain(k, pass.part(item, 1) + first * pass.stride(), pass.stride(), count, width);
    load_plain(v, pass.part(item, 2) + first * pass.stride(), pass.stride(), count, width);
    __syncthreads();
    key_biases(k, count, width, pass.problem.scale, biases);
    for_elements(features, count, [&](int i, int j) {
      s.at(i, j) = pass.scale * product_at<Turned::kNo, Turned::kYes>(w, k, i, j, width) + biases[j];
    });
    __syncthreads();
    softmax.take(s, features, count, v, width);
  }
  float* const part = pass.parts + (static_cast<std::int64_t>(item.index) * pass.problem.max_chunks + chunk) *
                                       pass.part_size();
  for_elements(features, width, [&](int i, int d) { part[(r + i) * width + d] = softmax.context.at(i, d); });
  for_elements(features, 1, [&](int i, int) {
    part[pass.matrix() + r + i] = softmax.maxima[i];
    part[pass.matrix() + pass.count + r + i] = softmax.sums[i];
  });
}

/// B and key_stats of a head from its chunks' parts.
template <class T>
__global__ void __launch_bounds__(kPlainThreads) performer_merge_kernel(PerformerPass<T> pass) {
  const AttentionItem item = item_of(pass.problem, static_cast<int>(blockIdx.x));
  const int chunks = attention_chunks(item.rows), width = pass.problem.width;
  const auto part = [&](int chunk) {
    return pass.parts +
           (static_cast<std::int64_t>(item.index) * pass.problem.max_chunks + chunk) * pass.part_size();
  };
  const auto maximum = [&](int chunk, int r) { return part(chunk)[pass.matrix() + r]; };
  float* const stats = pass.key_stats + static_cast<std::int64_t>(item.index) * pass.count * 2;
  for_elements(pass.count, 1, [&](int r, int) {
    float largest = -INFINITY, sum = 0;
    for (int c = 0; c < chunks; ++c) largest = fmaxf(largest, maximum(c, r));
    for (int c = 0; c < chunks; ++c)
      sum += expf(maximum(c, r) - largest) * part(c)[pass.matrix() + pass.count + r];
    stats[2 * r] = largest;
    stats[2 * r + 1] = 1.0F / sum;
  });
  __syncthreads();
  for_elements(pass.count, width, [&](int r, int d) {
    float sum = 0;
    for (int c = 0; c < chunks; ++c) sum += expf(maximum(c, r) - stats[2 * r]) * part(c)[r * width + d];
    pass.values[item.index * pass.matrix() + r * width + d] = sum * stats[2 * r + 1];
  });
}

/// log Z behind the totals.
template <class T>
__global__ void __launch_bounds__(kPlainThreads) performer_log_sums_kernel(PerformerPass<T> pass) {
  const std::int64_t index = blockIdx.x;
  for_elements(pass.count, 1, [&](int r, int) {
    const float* const stats = pass.key_stats + (index * pass.count + r) * 2;
    pass.totals[index * pass.part_size() + pass.matrix() + pass.count + r] = stats[0] - logf(stats[1]);
  });
}

template <class T>
__global__ void __launch_bounds__(kPlainThreads) performer_keys_gradient_kernel(PerformerPass<T> pass) {
  const AttentionItem item = item_of(pass.problem, static_cast<int>(blockIdx.x));
  const int first = static_cast<int>(blockIdx.y) * kPlainRows, count = min(kPlainRows, item.rows - first);
  if (count <= 0) return;
  PlainCarver carver(shared_memory<float>());
  const int width = pass.problem.width;
  const Plain k = carver.matrix(kPlainRows, width), v = carver.matrix(kPlainRows, width),
              d_k = carver.matrix(kPlainRows, width), d_v = carver.matrix(kPlainRows, width),
              p = carver.matrix(kPlainRows, kPlainRows), d_s = carver.matrix(kPlainRows, kPlainRows);
  float *const biases = carver.vector(kPlainRows), *const deltas = carver.vector(kPlainRows),
               *const row_sums = carver.vector(kPlainRows);
  load_plain(k, pass.part(item, 1) + first * pass.stride(), pass.stride(), count, width);
  load_plain(v, pass.part(item, 2) + first * pass.stride(), pass.stride(), count, width);
  for_elements(kPlainRows, 1, [&](int i, int) { row_sums[i] = 0; });
  __syncthreads();
  key_biases(k, count, width, pass.problem.scale, biases);
  const float* const totals = pass.totals + item.index * pass.part_size();
  for (int r = 0; r < pass.count; r += kPlainRows) {
    const int features = min(kPlainRows, pass.count - r);
    const Plain w = pass.features_of(item, r), b{pass.values + item.index * pass.matrix() + r * width, width},
                d_b{const_cast<float*>(totals) + r * width, width};
    const float* const stats = pass.key_stats + (static_cast<std::int64_t>(item.index) * pass.count + r) * 2;
    for_elements(features, 1, [&](int j, int) { deltas[j] = -totals[pass.matrix() + r + j]; });
    __syncthreads();
    add_row_dots(b, d_b, features, width, deltas);
    __syncthreads();
    for_elements(count, features, [&](int i, int j) {
      const float logit = pass.scale * product_at<Turned::kNo, Turned::kYes>(k, w, i, j, width) + biases[i];
      const float x = expf(logit - stats[2 * j]) * stats[2 * j + 1];
      p.at(i, j) = x;
      d_s.at(i, j) = x * (product_at<Turned::kNo, Turned::kYes>(v, d_b, i, j, width) - deltas[j]);
    });
    __syncthreads();
    multiply<Turned::kNo, Turned::kNo>(d_v, p, d_b, count, width, features, 1, r > 0);
    multiply<Turned::kNo, Turned::kNo>(d_k, d_s, w, count, width, features, pass.scale, r > 0);
    for_elements(count, 1, [&](int i, int) {
      for (int j = 0; j < features; ++j) row_sums[i] += d_s.at(i, j);
    });
    __syncthreads();
  }
  T* const to = pass.d_part(item, 1) + first * pass.stride();
  for_elements(count, width, [&](int i, int d) {
    store(to + i * pass.stride() + d, d_k.at(i, d) - pass.problem.scale * row_sums[i] * k.at(i, d));
  });
  pass.store_value_gradient(item, first, count, d_v);
}

ChunkedWorkspace workspace_of(const PerformerAttention& args, bool backward) {
  const ChunkedShape shape(CudaAttentionShape(args.inputs),
                           performer_part(args.features.dim(1), args.inputs.width()));
  return workspace_in<ChunkedWorkspace>(args.inputs.workspace, shape, backward);
}

template <class T>
PerformerPass<T> performer_pass(const PerformerAttention& args, const ChunkedWorkspace& workspace,
                                const AttentionGradients* gradients = nullptr) {
  PerformerPass<T> pass{};
  static_cast<PlainPass<T>&>(pass) = plain_pass<T>(args.inputs, args.saved.row_stats, gradients);
  pass.count = static_cast<int>(args.features.dim(1));
  pass.scale = std::sqrt(pass.problem.scale);
  pass.features = args.features.data<float>();
  pass.values = args.saved.values.data<float>();
  pass.key_stats = args.saved.key_stats.data<float>();
  pass.parts = workspace.parts;
  pass.totals = workspace.totals;
  return pass;
}

template <class T>
SummaryPass<T> summary_pass(const PerformerPass<T>& pass) {
  const std::int64_t matrix = static_cast<std::int64_t>(pass.count) * pass.problem.width;
  SummaryPass<T> summary{};
  static_cast<PlainPass<T>&>(summary) = pass;
  summary.count = pass.count;
  summary.scale = pass.scale;
  summary.keys = pass.features;
  summary.keys_of_head = true;
  summary.values = pass.values;
  summary.bias = pass.totals + matrix + pass.count;
  summary.bias_stride = summary.part_stride = matrix + 2 * pass.count;
  summary.d_values = pass.parts;
  summary.d_bias = pass.parts + matrix;
  return summary;
}

std::size_t tile_floats(int width, int matrices, int squares) {
  return static_cast<std::size_t>(matrices) * plain_floats(kPlainRows, width) +
         static_cast<std::size_t>(squares) * plain_floats(kPlainRows, kPlainRows) + 4 * kPlainRows;
}

template <class T>
void forward(CudaContext& context, const PerformerAttention& args) {
  const auto pass = performer_pass<T>(args, workspace_of(args, false));
  const int width = pass.problem.width;
  dim3 grid = grid_of_chunks(args.inputs);
  grid.z = static_cast<unsigned>((pass.count + kPlainRows - 1) / kPlainRows);
  launch_plain(context, grid, tile_floats(width, 2, 1) + softmax_floats(width), "performer_keys",
               performer_keys_kernel<T>, pass);
  launch_plain(context, grid_of_items(args.inputs), 0, "performer_merge", performer_merge_kernel<T>, pass);
  launch_plain(context, grid_of_items(args.inputs), 0, "performer_log_sums", performer_log_sums_kernel<T>,
               pass);
  attend_summary(context, summary_pass(pass), args.inputs);
}

template <class T>
void backward(CudaContext& context, const PerformerAttention& args, const AttentionGradients& gradients) {
  const ChunkedWorkspace workspace = workspace_of(args, true);
  const auto pass = performer_pass<T>(args, workspace, &gradients);
  const SummaryPass<T> summary = summary_pass(pass);
  launch_plain(context, grid_of_items(args.inputs), 0, "performer_log_sums", performer_log_sums_kernel<T>,
               pass);
  attend_summary_backward(context, summary, args.inputs);
  const std::int64_t gathered = summary.part_stride - pass.count;
  sum_chunks(context, pass.problem, {pass.parts, summary.part_stride, gathered}, pass.totals,
             summary.part_stride);
  launch_plain(context, grid_of_tiles(args.inputs), tile_floats(pass.problem.width, 4, 2),
               "performer_keys_backward", performer_keys_gradient_kernel<T>, pass);
  add_filter_gradient(context, pass, workspace.d_filter, gradients);
}

}  // namespace

void performer_attention_forward(CudaContext& context, const PerformerAttention& args) {
  if (nothing_to_do(args.inputs)) return;
  dispatch_device(args.inputs.qkv.dtype, [&]<class T>(T) { forward<T>(context, args); });
}

void performer_attention_backward(CudaContext& context, const PerformerAttention& args,
                                  const AttentionGradients& gradients) {
  if (nothing_to_do(args.inputs)) return;
  dispatch_device(args.inputs.qkv.dtype, [&]<class T>(T) { backward<T>(context, args, gradients); });
}

}  // namespace nystrom::cuda
