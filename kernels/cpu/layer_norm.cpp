#include "kernels/cpu/ops.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/layer_norm.cpp"
#include "hwy/foreach_target.h"
#include "kernels/cpu/column_sums-inl.h"
#include "kernels/cpu/layer_norm-inl.h"
#include "kernels/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace nystrom::HWY_NAMESPACE {
namespace {

constexpr std::int64_t kRowGrain = 8;  // rows worth a thread

/// z = residual + dropout(branch + bias) of one row, in compute dtype.
template <class T>
void join_row(const LayerNormForward& args, std::int64_t row, Compute<T>* z, std::int64_t columns) {
  const T* branch = args.branch.data<T>() + row * columns;
  if (args.bias.empty()) {
#pragma omp simd
    for (std::int64_t c = 0; c < columns; ++c) z[c] = load(branch[c]);
  } else {
    const Compute<T>* bias = args.bias.data<Compute<T>>();
#pragma omp simd
    for (std::int64_t c = 0; c < columns; ++c) z[c] = load(branch[c]) + bias[c];
  }
  if (args.dropout.active())
    drop_row(args.dropout, args.keys.samples.data<std::int64_t>()[row],
             args.keys.positions.data<std::int32_t>()[row], z, z, columns);
  if (args.residual.empty()) return;
  const T* residual = args.residual.data<T>() + row * columns;
#pragma omp simd
  for (std::int64_t c = 0; c < columns; ++c) z[c] += load(residual[c]);
}

template <class T>
void forward_rows(const LayerNormForward& args, std::int64_t begin, std::int64_t end) {
  using C = Compute<T>;
  const std::int64_t columns = args.branch.dim(1);
  ComputeRow<T> row_in_compute;
  for (std::int64_t row = begin; row < end; ++row) {
    T* z_stored = args.z.data<T>() + row * columns;
    C* z = row_in_compute.of(z_stored);
    C* stats = args.stats.data<C>() + row * 2;
    join_row<T>(args, row, z, columns);
    row_statistics(z, columns, args.epsilon, stats);
    normalize_row(z, stats, args.gamma.data<C>(), args.beta.data<C>(), args.y.data<T>() + row * columns,
                  columns);
    if constexpr (!std::is_same_v<T, C>) {
#pragma omp simd
      for (std::int64_t c = 0; c < columns; ++c) store(z_stored[c], z[c]);
    }
  }
}

void layer_norm_forward_all(Context& context, const LayerNormForward& args) {
  dispatch_float(args.branch.dtype, [&]<class T>(T) {
    parallel_for(context, args.branch.dim(0), kRowGrain,
                 [&](std::int64_t begin, std::int64_t end) { forward_rows<T>(args, begin, end); });
  });
}

/// One row; sums: d_gamma, d_beta, d_bias.
template <class T>
void backward_row(const LayerNormBackward& args, std::int64_t row, ColumnPartials<Compute<T>, 3>& sums) {
  using C = Compute<T>;
  const std::int64_t columns = args.z.dim(1), at = row * columns;
  const T* z = args.z.data<T>() + at;
  T* d_z = args.d_z.data<T>() + at;
  T* d_branch = args.d_branch.data<T>() + at;
  const auto through_norm = [&](auto* to) HWY_ATTR {
    layer_norm_row_backward(
        args.d_y.data<T>() + at, [z](std::int64_t c) HWY_ATTR { return load(z[c]); },
        args.stats.data<C>() + row * 2, args.gamma.data<C>(), to, sums.values[0], sums.values[1], columns);
  };
  if (args.d_skip.empty()) {
    through_norm(d_z);
  } else {
    alignas(64) C sum[kMaxRowColumns];
    through_norm(sum);
    const T* skip = args.d_skip.data<T>() + at;
#pragma omp simd
    for (std::int64_t c = 0; c < columns; ++c) store(d_z[c], sum[c] + load(skip[c]));
  }
  if (args.dropout.active())
    drop_row(args.dropout, args.keys.samples.data<std::int64_t>()[row],
             args.keys.positions.data<std::int32_t>()[row], d_z, d_branch, columns);
  else if (d_branch != d_z)
    std::copy(d_z, d_z + columns, d_branch);
  if (args.d_bias.empty()) return;
  C* d_bias = sums.values[2];
#pragma omp simd
  for (std::int64_t c = 0; c < columns; ++c) d_bias[c] += load(d_branch[c]);
}

void layer_norm_backward_all(Context& context, const LayerNormBackward& args) {
  dispatch_float(args.z.dtype, [&]<class T>(T) {
    using C = Compute<T>;
    C* d_bias = args.d_bias.empty() ? nullptr : args.d_bias.data<C>();
    sum_columns<C, 3>(context, args.z.dim(0), args.z.dim(1),
                      {args.d_gamma.data<C>(), args.d_beta.data<C>(), d_bias},
                      [&](std::int64_t row, std::int64_t, std::int64_t, ColumnPartials<C, 3>& sums)
                          HWY_ATTR { backward_row<T>(args, row, sums); });
  });
}

}  // namespace
}  // namespace nystrom::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace nystrom {

HWY_EXPORT(layer_norm_forward_all);
HWY_EXPORT(layer_norm_backward_all);

namespace cpu {

void layer_norm_forward(Context& context, const LayerNormForward& args) {
  HWY_DYNAMIC_DISPATCH(layer_norm_forward_all)(context, args);
}

void layer_norm_backward(Context& context, const LayerNormBackward& args) {
  HWY_DYNAMIC_DISPATCH(layer_norm_backward_all)(context, args);
}

}  // namespace cpu
}  // namespace nystrom
#endif
