#include "kernels/cpu/ops.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/layer_norm.cpp"
#include "hwy/foreach_target.h"
#include "kernels/cpu/column_sums-inl.h"
#include "kernels/cpu/lanes-inl.h"
#include "kernels/cpu/layer_norm-inl.h"

HWY_BEFORE_NAMESPACE();
namespace nystrom::HWY_NAMESPACE {
namespace {

constexpr std::int64_t kRowGrain = 8;  // rows worth a thread

/// z = residual + dropout(branch + bias) of one row, in compute dtype, and as it is stored. Returns its sum.
template <class T>
Compute<T> join_row(const LayerNormForward& args, std::int64_t row, Compute<T>* z, T* z_stored,
                    std::int64_t columns) {
  using C = Compute<T>;
  const T* branch = args.branch.data<T>() + row * columns;
  const T* residual = args.residual.empty() ? nullptr : args.residual.data<T>() + row * columns;
  const C* bias = args.bias.empty() ? nullptr : args.bias.data<C>();
  for_dropped_lanes<C>(args.dropout, args.keys, row, columns,
                       [=](auto d, std::int64_t c, const auto& drop) HWY_ATTR {
                         auto v = load_lanes(d, branch + c);
                         if (bias != nullptr) v = hn::Add(v, hn::LoadU(d, bias + c));
                         v = drop(v);
                         if (residual != nullptr) v = hn::Add(v, load_lanes(d, residual + c));
                         hn::StoreU(v, d, z + c);
                         if constexpr (!std::is_same_v<T, C>) store_lanes(d, v, z_stored + c);
                       });
  C sum;
  sum_lanes<1>(columns, &sum, [=](auto d, std::int64_t c, auto* v) HWY_ATTR { v[0] = hn::LoadU(d, z + c); });
  return sum;
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
    const C sum = join_row<T>(args, row, z, z_stored, columns);
    row_statistics(z, sum, columns, args.epsilon, stats);
    normalize_row(z, stats, args.gamma.data<C>(), args.beta.data<C>(), args.y.data<T>() + row * columns,
                  columns);
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
  const T* d_y = args.d_y.data<T>() + at;
  const T* skip = args.d_skip.empty() ? nullptr : args.d_skip.data<T>() + at;
  T* d_z = args.d_z.data<T>() + at;
  T* d_branch = args.d_branch.data<T>() + at;
  C* d_bias = args.d_bias.empty() ? nullptr : sums.values[2];
  const auto z_lanes = [=](auto d, std::int64_t c) HWY_ATTR { return load_lanes(d, z + c); };
  const auto norm = norm_backward(d_y, z_lanes, args.stats.data<C>() + row * 2, args.gamma.data<C>(),
                                  sums.values[0], sums.values[1], columns);
  for_dropped_lanes<C>(args.dropout, args.keys, row, columns,
                       [=](auto d, std::int64_t c, const auto& drop) HWY_ATTR {
                         auto v = norm.d_z(d, c, load_lanes(d, d_y + c), z_lanes(d, c));
                         if (skip != nullptr) v = hn::Add(v, load_lanes(d, skip + c));
                         store_lanes(d, v, d_z + c);
                         store_lanes(d, drop(load_lanes(d, d_z + c)), d_branch + c);  // as rounded
                         if (d_bias != nullptr) add_lanes(d, load_lanes(d, d_branch + c), d_bias + c);
                       });
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
