// Bias + dropout + residual + LayerNorm, and its backward (layer_norm.h).
// Forward: a row a warp (layer_norm_rows.h), one pass over memory: branch, residual in; z, y out: 4 s bytes
// an element of size s (3 s without residual). Backward: d_y, z in; d_z, d_branch out: 4 s (3 s where
// d_branch is d_z); a resident grid keeps the three column sums in registers, leaves them once a block and
// adds them up by add_column_partials. Memory bounds both: at 768 columns of bf16 6 KB a token, 1.4 ns at 4.3
// TB/s. Checked against the CPU through the emulation; not yet run on a GPU.

#include "kernels/cuda/ops.h"

#include "kernels/cuda/layer_norm_rows.h"
#include "kernels/tensor/cuda/dispatch.h"

namespace nystrom::cuda {
namespace {

template <class T>
struct ForwardParams {
  const T *residual, *branch;        // [rows, columns]; residual may be null
  const float *bias, *gamma, *beta;  // [columns]; bias may be null
  float epsilon;
  Drop drop;
  T *z, *y;
  float* stats;  // [rows, 2]
  std::int64_t rows, columns;
};

/// residual + dropout(branch + bias) of one eight at index `at` of the tensor.
template <class T, bool kRagged>
__device__ Vec8 join8(const ForwardParams<T>& p, std::int64_t row, int column, int count) {
  const std::int64_t at = row * p.columns + column;
  Vec8 z = load8<kRagged>(p.branch + at, count);
  if (p.bias != nullptr) {
    const Vec8 bias = load8<kRagged>(p.bias + column, count);
#pragma unroll
    for (int i = 0; i < kEight; ++i) z.v[i] += bias.v[i];
  }
  if (p.drop.threshold != 0) drop8<kRagged>(p.drop, row, column, p.columns, z);
  if (p.residual != nullptr) {
    const Vec8 residual = load8<kRagged>(p.residual + at, count);
#pragma unroll
    for (int i = 0; i < kEight; ++i) z.v[i] += residual.v[i];
  }
  return z;
}

template <class T, class Layout>
__global__ void __launch_bounds__(Layout::kThreads) layer_norm_forward_kernel(ForwardParams<T> p) {
  float* shared = shared_memory<float>();
  const RowPlace<Layout> place(p.columns);
  for (std::int64_t row = place.row; row < p.rows; row += place.step) {
    RowValues<Layout> z{};
#pragma unroll
    for (int k = 0; k < Layout::kEights; ++k)
      if (place.count(k) > 0) z[k] = join8<T, Layout::kRagged>(p, row, place.column(k), place.count(k));
    const float2 stats = row_statistics<Layout>(place, z, p.epsilon, shared);
    if (place.thread == 0) store_statistics(p.stats, row, stats);
#pragma unroll
    for (int k = 0; k < Layout::kEights; ++k) {
      const int count = place.count(k), column = place.column(k);
      if (count == 0) continue;
      const std::int64_t at = row * p.columns + column;
      store8<Layout::kRagged>(p.z + at, z[k], count);
      store8<Layout::kRagged>(
          p.y + at, normalized8<Layout::kRagged>(z[k], stats, p.gamma + column, p.beta + column, count),
          count);
    }
  }
}

template <class T>
void run_forward(CudaContext& context, const LayerNormForward& args) {
  const std::int64_t rows = args.branch.dim(0), columns = args.branch.dim(1);
  const auto of = [](const Tensor& x) { return x.empty() ? nullptr : x.data<float>(); };
  const ForwardParams<T> p{.residual = args.residual.empty() ? nullptr : args.residual.data<T>(),
                           .branch = args.branch.data<T>(),
                           .bias = of(args.bias),
                           .gamma = of(args.gamma),
                           .beta = of(args.beta),
                           .epsilon = static_cast<float>(args.epsilon),
                           .drop = {args.dropout, args.keys},
                           .z = args.z.data<T>(),
                           .y = args.y.data<T>(),
                           .stats = args.stats.data<float>(),
                           .rows = rows,
                           .columns = columns};
  const bool whole = whole_eights(p.branch, columns) && whole_eights(p.z, columns) &&
                     whole_eights(p.y, columns) && whole_eights(p.residual, columns) &&
                     whole_eights(p.bias, columns) && whole_eights(p.gamma, columns) &&
                     whole_eights(p.beta, columns);
  dispatch_rows(columns, whole, [&]<class Layout>(Layout) {
    const std::int64_t blocks = (rows + Layout::kRows - 1) / Layout::kRows;
    launch(context.stream(), dim3(static_cast<unsigned>(blocks)), dim3(Layout::kThreads), sizeof(float) * 64,
           "layer_norm_forward", layer_norm_forward_kernel<T, Layout>, p);
  });
}

template <class T>
struct BackwardParams {
  const T *d_y, *z;
  const T* d_skip;  // null: nothing
  const float *stats, *gamma;
  Drop drop;
  T *d_z, *d_branch;
  float* partials;  // [blocks, sums, columns]: gamma, beta, bias
  int sums;         // 3; 2 without bias
  std::int64_t rows, columns;
};

/// Stores d as d_z and, through dropout, as d_branch; d becomes what d_branch holds.
template <class T, bool kRagged>
__device__ void leave8(const BackwardParams<T>& p, std::int64_t row, int column, int count, Vec8& d) {
  const std::int64_t at = row * p.columns + column;
  store8<kRagged>(p.d_z + at, d, count);
#pragma unroll
  for (int i = 0; i < kEight; ++i) d.v[i] = rounded<T>(d.v[i]);
  if (p.drop.threshold != 0) {
    drop8<kRagged>(p.drop, row, column, p.columns, d);
#pragma unroll
    for (int i = 0; i < kEight; ++i) d.v[i] = rounded<T>(d.v[i]);
  }
  if (p.d_branch != p.d_z) store8<kRagged>(p.d_branch + at, d, count);
}

template <class T, class Layout>
__global__ void __launch_bounds__(Layout::kThreads, Layout::kBlocks)
    layer_norm_backward_kernel(BackwardParams<T> p) {
  float* shared = shared_memory<float>();
  const RowPlace<Layout> place(p.columns);
  RowValues<Layout> d_gamma{}, d_beta{}, d_bias{};
  for (std::int64_t row = place.row; row < p.rows; row += place.step) {
    RowValues<Layout> d{}, z{};
#pragma unroll
    for (int k = 0; k < Layout::kEights; ++k) {
      if (place.count(k) == 0) continue;
      const std::int64_t at = row * p.columns + place.column(k);
      d[k] = load8<Layout::kRagged>(p.d_y + at, place.count(k));
      z[k] = load8<Layout::kRagged>(p.z + at, place.count(k));
    }
    const float2 stats = load_statistics(p.stats, row);
    row_backward<Layout>(place, stats, p.gamma, d, z, d_gamma, d_beta, shared);
#pragma unroll
    for (int k = 0; k < Layout::kEights; ++k) {
      if (place.count(k) == 0) continue;
      if (p.d_skip != nullptr) {
        const Vec8 skip =
            load8<Layout::kRagged>(p.d_skip + row * p.columns + place.column(k), place.count(k));
#pragma unroll
        for (int i = 0; i < kEight; ++i) d[k].v[i] += skip.v[i];
      }
      leave8<T, Layout::kRagged>(p, row, place.column(k), place.count(k), d[k]);
#pragma unroll
      for (int i = 0; i < kEight; ++i) d_bias[k].v[i] += d[k].v[i];
    }
  }
  float* partials = p.partials + std::int64_t{blockIdx.x} * p.sums * p.columns;
  leave_partials<Layout>(place, d_gamma, partials, shared);
  leave_partials<Layout>(place, d_beta, partials + p.columns, shared);
  if (p.sums == 3) leave_partials<Layout>(place, d_bias, partials + 2 * p.columns, shared);
}

template <class T>
void run_backward(CudaContext& context, const LayerNormBackward& args) {
  const std::int64_t rows = args.z.dim(0), columns = args.z.dim(1);
  BackwardParams<T> p{.d_y = args.d_y.data<T>(),
                      .z = args.z.data<T>(),
                      .d_skip = args.d_skip.empty() ? nullptr : args.d_skip.data<T>(),
                      .stats = args.stats.data<float>(),
                      .gamma = args.gamma.data<float>(),
                      .drop = {args.dropout, args.keys},
                      .d_z = args.d_z.data<T>(),
                      .d_branch = args.d_branch.data<T>(),
                      .partials = nullptr,
                      .sums = args.d_bias.empty() ? 2 : 3,
                      .rows = rows,
                      .columns = columns};
  const bool whole = whole_eights(p.d_y, columns) && whole_eights(p.z, columns) &&
                     whole_eights(p.d_skip, columns) && whole_eights(p.gamma, columns) &&
                     whole_eights(p.d_z, columns) && whole_eights(p.d_branch, columns);
  dispatch_rows(columns, whole, [&]<class Layout>(Layout) {
    const std::int64_t blocks = row_blocks<Layout>(context, rows);
    p.partials = static_cast<float*>(
        context.workspace(static_cast<std::size_t>(blocks * p.sums * columns) * sizeof(float)));
    launch(context.stream(), dim3(static_cast<unsigned>(blocks)), dim3(Layout::kThreads),
           Layout::shared_bytes(columns), "layer_norm_backward", layer_norm_backward_kernel<T, Layout>, p);
    float* bias = args.d_bias.empty() ? nullptr : args.d_bias.data<float>();
    add_column_partials(context, p.partials, blocks, columns,
                        {args.d_gamma.data<float>(), args.d_beta.data<float>(), bias}, p.sums);
  });
}

}  // namespace

void layer_norm_forward(CudaContext& context, const LayerNormForward& args) {
  if (args.branch.dim(0) == 0) return;
  dispatch_device(args.branch.dtype, [&]<class T>(T) { run_forward<T>(context, args); });
}

void layer_norm_backward(CudaContext& context, const LayerNormBackward& args) {
  if (args.z.dim(0) == 0) return;
  dispatch_device(args.z.dtype, [&]<class T>(T) { run_backward<T>(context, args); });
}

}  // namespace nystrom::cuda
