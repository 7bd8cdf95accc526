#include "kernels/cpu/ops.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/residual.cpp"
#include "hwy/foreach_target.h"
#include "kernels/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace nystrom::HWY_NAMESPACE {
namespace {

constexpr std::int64_t kGrain = 16384;  // elements worth a thread

template <class T>
void add_run(const T* a, const T* b, T* y, std::int64_t begin, std::int64_t end) {
#pragma omp simd
  for (std::int64_t i = begin; i < end; ++i) store(y[i], load(a[i]) + load(b[i]));
}

void add_residual_all(Context& context, const Tensor& residual, const Tensor& branch, const Tensor& y) {
  dispatch_float(y.dtype, [&]<class T>(T) {
    parallel_for(context, y.numel(), kGrain, [&](std::int64_t begin, std::int64_t end) {
      add_run(residual.data<T>(), branch.data<T>(), y.data<T>(), begin, end);
    });
  });
}

}  // namespace
}  // namespace nystrom::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace nystrom {

HWY_EXPORT(add_residual_all);

namespace cpu {

void add_residual(Context& context, const Tensor& residual, const Tensor& branch, const Tensor& y) {
  HWY_DYNAMIC_DISPATCH(add_residual_all)(context, residual, branch, y);
}

}  // namespace cpu
}  // namespace nystrom
#endif
