// Features of pairs (pair_features.h), a column of a pair a thread; bytes 6 s an element of a row forward and
// 8 s backward, of size s; memory bounds it. Checked against the CPU through the emulation; not yet run on a
// GPU.

#include "kernels/cuda/ops.h"
#include "kernels/tensor/cuda/context.h"
#include "kernels/tensor/cuda/device_code.h"
#include "kernels/tensor/cuda/dispatch.h"
#include "kernels/tensor/cuda/launch.h"

namespace nystrom::cuda {
namespace {

constexpr unsigned kThreads = 256;

template <class T>
__global__ void pair_features_forward_kernel(const T* x, T* y, std::int64_t pairs, std::int64_t columns) {
  const std::int64_t i = grid_index(), p = i / columns, c = i % columns;
  if (p >= pairs) return;
  const T *const a = x + 2 * p * columns + c, *const b = a + columns;
  T* const to = y + p * 4 * columns + c;
  to[0] = *a;
  to[columns] = *b;
  store(to + 2 * columns, load(a) * load(b));
  store(to + 3 * columns, load(a) - load(b));
}

template <class T>
__global__ void pair_features_backward_kernel(const T* x, const T* d_y, T* d_x, std::int64_t pairs,
                                              std::int64_t columns) {
  const std::int64_t i = grid_index(), p = i / columns, c = i % columns;
  if (p >= pairs) return;
  const T *const a = x + 2 * p * columns + c, *const b = a + columns;
  const T* const d = d_y + p * 4 * columns + c;
  const float product = load(d + 2 * columns), difference = load(d + 3 * columns);
  T* const d_a = d_x + 2 * p * columns + c;
  store(d_a, load(d) + product * load(b) + difference);
  store(d_a + columns, load(d + columns) + product * load(a) - difference);
}

dim3 blocks_of(std::int64_t elements) {
  return dim3(static_cast<unsigned>((elements + kThreads - 1) / kThreads));
}

}  // namespace

void pair_features_forward(CudaContext& context, const Tensor& x, const Tensor& y) {
  const std::int64_t pairs = y.dim(0), columns = x.dim(1);
  if (pairs == 0) return;
  dispatch_device(x.dtype, [&]<class T>(T) {
    launch(context.stream(), blocks_of(pairs * columns), dim3(kThreads), 0, "pair_features_forward",
           pair_features_forward_kernel<T>, x.data<T>(), y.data<T>(), pairs, columns);
  });
}

void pair_features_backward(CudaContext& context, const Tensor& x, const Tensor& d_y, const Tensor& d_x) {
  const std::int64_t pairs = d_y.dim(0), columns = x.dim(1);
  if (pairs == 0) return;
  dispatch_device(x.dtype, [&]<class T>(T) {
    launch(context.stream(), blocks_of(pairs * columns), dim3(kThreads), 0, "pair_features_backward",
           pair_features_backward_kernel<T>, x.data<T>(), d_y.data<T>(), d_x.data<T>(), pairs, columns);
  });
}

}  // namespace nystrom::cuda
