// Sum of a residual and its branch (residual.h), eight elements a thread; bytes 3 s an element of size s;
// memory bounds it. Checked against the CPU through the emulation; not yet run on a GPU.

#include "kernels/cuda/ops.h"
#include "kernels/cuda/vectorized.h"
#include "kernels/tensor/cuda/dispatch.h"

namespace nystrom::cuda {
namespace {

template <class T>
struct Add {
  const T *residual, *branch;
  T* y;

  template <bool kRagged>
  __device__ void at(std::int64_t first, int count) const {
    Vec8 sum = load8<kRagged>(residual + first, count);
    const Vec8 other = load8<kRagged>(branch + first, count);
#pragma unroll
    for (int i = 0; i < kEight; ++i) sum.v[i] += other.v[i];
    store8<kRagged>(y + first, sum, count);
  }
};

}  // namespace

void add_residual(CudaContext& context, const Tensor& residual, const Tensor& branch, const Tensor& y) {
  dispatch_device(y.dtype, [&]<class T>(T) {
    const Add<T> body{residual.data<T>(), branch.data<T>(), y.data<T>()};
    const std::int64_t count = y.numel();
    const bool whole =
        whole_eights(body.residual, count) && whole_eights(body.branch, count) && whole_eights(body.y, count);
    vectorized_for_each(context, "add_residual", count, whole, body);
  });
}

}  // namespace nystrom::cuda
