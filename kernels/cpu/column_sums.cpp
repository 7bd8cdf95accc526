#include "kernels/cpu/ops.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/column_sums.cpp"
#include "hwy/foreach_target.h"
#include "kernels/cpu/column_sums-inl.h"
#include "kernels/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace nystrom::HWY_NAMESPACE {
namespace {

template <class T>
void sum_rows(Context& context, const Tensor& d_y, const Tensor& d_bias) {
  using C = Compute<T>;
  const std::int64_t columns = d_y.dim(1);
  const T* values = d_y.data<T>();
  sum_columns<C, 1>(context, d_y.dim(0), columns, {d_bias.data<C>()},
                    [=](std::int64_t row, std::int64_t begin, std::int64_t count, ColumnPartials<C, 1>& sums)
                        HWY_ATTR {
                          const T* from = values + row * columns + begin;
                          C* sum = sums.values[0];
#pragma omp simd
                          for (std::int64_t c = 0; c < count; ++c) sum[c] += load(from[c]);
                        });
}

void column_sums_all(Context& context, const Tensor& d_y, const Tensor& d_bias) {
  dispatch_float(d_y.dtype, [&]<class T>(T) { sum_rows<T>(context, d_y, d_bias); });
}

}  // namespace
}  // namespace nystrom::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace nystrom {

HWY_EXPORT(column_sums_all);

namespace cpu {

void column_sums(Context& context, const Tensor& d_y, const Tensor& d_bias) {
  HWY_DYNAMIC_DISPATCH(column_sums_all)(context, d_y, d_bias);
}

}  // namespace cpu
}  // namespace nystrom
#endif
