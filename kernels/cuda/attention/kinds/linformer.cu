// Linformer attention on the GPU. Plain kernels (plain.h); the softmax over projected keys is summary.cu's.
//
//   project      block (item, chunk, 32 rows of the projection): k~ and v~ of the chunk's tokens, then
//                added up in the order of chunks.
//   tokens       block (item, 32 tokens): d_k = E^T d_k~, d_v = F^T d_v~ and the convolution's part.
//   projections  block (head, 32 positions, 32 rows): d_E through all sequences in their order; the tokens of
//                a sequence at those positions are found by bisection.
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
struct LinformerPass : PlainPass<T> {
  int rows, table;                 // R, P
  const std::int32_t* positions;   // [T]
  const float *e, *f;              // [H, R, P]; f is e where they are shared
  float* parts;                    // [items, chunks, 2, R, D]
  const float *d_keys, *d_values;  // [items, ., R, D], `total_stride` numbers apart
  std::int64_t total_stride;
  float *d_e, *d_f;  // [H, R, P], added to

  [[nodiscard]] __device__ Plain total(const float* totals, std::int64_t index, int first) const {
    const int width = this->problem.width;
    return {const_cast<float*>(totals) + index * total_stride + static_cast<std::int64_t>(first) * width,
            width};
  }
};

/// projection [h, r, .] of a head.
__device__ inline const float* row_of(const float* projection, int head, int rows, int table, int r) {
  return projection + (static_cast<std::int64_t>(head) * rows + r) * table;
}

template <class T>
__global__ void __launch_bounds__(kPlainThreads) linformer_project_kernel(LinformerPass<T> pass) {
  const AttentionItem item = item_of(pass.problem, static_cast<int>(blockIdx.x));
  const int chunk = static_cast<int>(blockIdx.y), size = attention_chunk_rows(item.rows);
  const int begin = chunk * size, end = min(begin + size, item.rows), width = pass.problem.width;
  const int r = static_cast<int>(blockIdx.z) * kPlainRows, rows = min(kPlainRows, pass.rows - r);
  if (begin >= end) return;
  PlainCarver carver(shared_memory<float>());
  const Plain columns = carver.matrix(kPlainRows, kPlainRows), x = carver.matrix(kPlainRows, width);
  const std::int64_t matrix = static_cast<std::int64_t>(pass.rows) * width;
  float* const part =
      pass.parts + (static_cast<std::int64_t>(item.index) * pass.problem.max_chunks + chunk) * 2 * matrix;
  for (int which = 0; which < 2; ++which) {
    const Plain sum{part + which * matrix + static_cast<std::int64_t>(r) * width, width};
    const float* const projection = which == 0 ? pass.e : pass.f;
    for (int first = begin; first < end; first += kPlainRows) {
      const int count = min(kPlainRows, end - first);
      for_elements(rows, count, [&](int i, int j) {
        columns.at(i, j) = row_of(projection, item.head, pass.rows, pass.table,
                                  r + i)[pass.positions[item.begin + first + j]];
      });
      load_plain(x, pass.part(item, 1 + which) + first * pass.stride(), pass.stride(), count, width);
      __syncthreads();
      multiply<Turned::kNo, Turned::kNo>(sum, columns, x, rows, width, count, 1, first > begin);
      __syncthreads();
    }
  }
}

template <class T>
__global__ void __launch_bounds__(kPlainThreads) linformer_tokens_gradient_kernel(LinformerPass<T> pass) {
  const AttentionItem item = item_of(pass.problem, static_cast<int>(blockIdx.x));
  const int first = static_cast<int>(blockIdx.y) * kPlainRows, count = min(kPlainRows, item.rows - first);
  if (count <= 0) return;
  PlainCarver carver(shared_memory<float>());
  const int width = pass.problem.width;
  const Plain d = carver.matrix(kPlainRows, width);
  for (int which = 0; which < 2; ++which) {
    const float* const projection = which == 0 ? pass.e : pass.f;
    const Plain total = pass.total(which == 0 ? pass.d_keys : pass.d_values, item.index, 0);
    for_elements(count, width, [&](int i, int column) {
      const int position = pass.positions[item.begin + first + i];
      float sum = 0;
      for (int r = 0; r < pass.rows; ++r)
        sum =
            fmaf(row_of(projection, item.head, pass.rows, pass.table, r)[position], total.at(r, column), sum);
      d.at(i, column) = sum;
    });
    __syncthreads();
    if (which == 0)
      store_plain(d, pass.d_part(item, 1) + first * pass.stride(), pass.stride(), count, width);
    else
      pass.store_value_gradient(item, first, count, d);
    __syncthreads();
  }
}

/// The first of a sequence's tokens at `position` or behind it.
__device__ inline int first_at(const std::int32_t* positions, int rows, int position) {
  int low = 0, high = rows;
  while (low < high) {
    const int middle = (low + high) / 2;
    if (positions[middle] < position)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

template <class T>
__global__ void __launch_bounds__(kPlainThreads)
    linformer_projections_gradient_kernel(LinformerPass<T> pass) {
  const int head = static_cast<int>(blockIdx.x), begin = static_cast<int>(blockIdx.y) * kPlainRows;
  const int r = static_cast<int>(blockIdx.z) * kPlainRows, rows = min(kPlainRows, pass.rows - r);
  const int width = pass.problem.width, columns = min(kPlainRows, pass.table - begin);
  PlainCarver carver(shared_memory<float>());
  const Plain x = carver.matrix(kPlainRows, width), sums = carver.matrix(kPlainRows, kPlainRows);
  const bool shared = pass.d_f == nullptr;
  for (int which = 0; which < 2; ++which) {
    if (which == 0 || !shared) zero_plain(sums, kPlainRows, kPlainRows);
    __syncthreads();
    for (int b = 0; b < pass.problem.batch; ++b) {
      const AttentionItem item = item_of(pass.problem, b * pass.problem.heads + head);
      const std::int32_t* const positions = pass.positions + item.begin;
      const int first = first_at(positions, item.rows, begin),
                count = first_at(positions, item.rows, begin + kPlainRows) - first;
      if (count == 0) continue;
      load_plain(x, pass.part(item, 1 + which) + first * pass.stride(), pass.stride(), count, width);
      __syncthreads();
      const Plain total = pass.total(which == 0 ? pass.d_keys : pass.d_values, item.index, r);
      for_elements(rows, count, [&](int i, int j) {
        sums.at(i, positions[first + j] - begin) +=
            product_at<Turned::kNo, Turned::kYes>(total, x, i, j, width);
      });
      __syncthreads();
    }
    if (which == 0 && shared) continue;
    float* const to = which == 0 || shared ? pass.d_e : pass.d_f;
    for_elements(rows, columns, [&](int i, int j) {
      to[(static_cast<std::int64_t>(head) * pass.rows + r + i) * pass.table + begin + j] += sums.at(i, j);
    });
    __syncthreads();
  }
}

ChunkedWorkspace workspace_of(const LinformerAttention& args, bool backward) {
  const ChunkedShape shape(CudaAttentionShape(args.inputs),
                           linformer_part(args.projection_key.dim(1), args.inputs.width()));
  return workspace_in<ChunkedWorkspace>(args.inputs.workspace, shape, backward);
}

template <class T>
LinformerPass<T> linformer_pass(const LinformerAttention& args, const ChunkedWorkspace& workspace,
                                const AttentionGradients* gradients = nullptr) {
  LinformerPass<T> pass{};
  static_cast<PlainPass<T>&>(pass) = plain_pass<T>(args.inputs, args.saved.row_stats, gradients);
  pass.rows = static_cast<int>(args.projection_key.dim(1));
  pass.table = static_cast<int>(args.projection_key.dim(2));
  pass.positions = args.positions.data<std::int32_t>();
  pass.e = args.projection_key.data<float>();
  pass.f = args.projection_value.empty() ? pass.e : args.projection_value.data<float>();
  pass.parts = workspace.parts;
  const std::int64_t matrix = args.projection_key.dim(1) * args.inputs.width();
  pass.d_keys = workspace.totals;
  pass.d_values = workspace.totals + matrix;
  pass.total_stride = 2 * matrix;
  return pass;
}

template <class T>
SummaryPass<T> summary_pass(const LinformerPass<T>& pass, const LinformerAttention& args) {
  SummaryPass<T> summary{};
  static_cast<PlainPass<T>&>(summary) = pass;
  summary.count = pass.rows;
  summary.scale = pass.problem.scale;
  summary.keys = args.saved.keys.data<float>();
  summary.values = args.saved.values.data<float>();
  summary.d_keys = pass.parts;
  summary.d_values = pass.parts + pass.total_stride / 2;
  summary.part_stride = pass.total_stride;
  return summary;
}

unsigned tiles_of(std::int64_t count) {
  return static_cast<unsigned>((count + kPlainRows - 1) / kPlainRows);
}

template <class T>
void forward(CudaContext& context, const LinformerAttention& args) {
  const ChunkedWorkspace workspace = workspace_of(args, false);
  const auto pass = linformer_pass<T>(args, workspace);
  const int width = pass.problem.width;
  dim3 grid = grid_of_chunks(args.inputs);
  grid.z = tiles_of(pass.rows);
  launch_plain(context, grid, plain_floats(kPlainRows, kPlainRows) + plain_floats(kPlainRows, width),
               "linformer_projections", linformer_project_kernel<T>, pass);
  const std::int64_t matrix = pass.total_stride / 2;
  sum_chunks(context, pass.problem, {.parts = pass.parts, .part_stride = 2 * matrix, .size = matrix},
             args.saved.keys.data<float>(), matrix);
  sum_chunks(context, pass.problem, {.parts = pass.parts + matrix, .part_stride = 2 * matrix, .size = matrix},
             args.saved.values.data<float>(), matrix);
  attend_summary(context, summary_pass(pass, args), args.inputs);
}

template <class T>
void backward(CudaContext& context, const LinformerAttention& args, const AttentionGradients& gradients,
              const ProjectionGradients& projections) {
  const ChunkedWorkspace workspace = workspace_of(args, true);
  auto pass = linformer_pass<T>(args, workspace, &gradients);
  pass.d_e = projections.d_key.data<float>();
  pass.d_f = projections.d_value.empty() ? nullptr : projections.d_value.data<float>();
  const std::size_t tile = plain_floats(kPlainRows, pass.problem.width);
  attend_summary_backward(context, summary_pass(pass, args), args.inputs);
  const std::int64_t both = pass.total_stride;
  sum_chunks(context, pass.problem, {.parts = pass.parts, .part_stride = both, .size = both},
             workspace.totals, both);
  launch_plain(context, grid_of_tiles(args.inputs), tile, "linformer_tokens_backward",
               linformer_tokens_gradient_kernel<T>, pass);
  const dim3 grid(static_cast<unsigned>(pass.problem.heads), tiles_of(pass.table), tiles_of(pass.rows));
  launch_plain(context, grid, tile + plain_floats(kPlainRows, kPlainRows), "linformer_projections_backward",
               linformer_projections_gradient_kernel<T>, pass);
  add_filter_gradient(context, pass, workspace.d_filter, gradients);
}

}  // namespace

void linformer_attention_forward(CudaContext& context, const LinformerAttention& args) {
  if (nothing_to_do(args.inputs)) return;
  dispatch_device(args.inputs.qkv.dtype, [&]<class T>(T) { forward<T>(context, args); });
}

void linformer_attention_backward(CudaContext& context, const LinformerAttention& args,
                                  const AttentionGradients& gradients,
                                  const ProjectionGradients& projections) {
  if (nothing_to_do(args.inputs)) return;
  dispatch_device(args.inputs.qkv.dtype,
                  [&]<class T>(T) { backward<T>(context, args, gradients, projections); });
}

}  // namespace nystrom::cuda
