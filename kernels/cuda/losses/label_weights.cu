// Gradients weighed by label (label_weights.h), one thread an element; bytes 2 s an element of size s; memory
// bounds it. Checked against the CPU through the emulation; not yet run on a GPU.

#include "kernels/cuda/ops.h"
#include "kernels/tensor/cuda/context.h"
#include "kernels/tensor/cuda/device_code.h"
#include "kernels/tensor/cuda/dispatch.h"
#include "kernels/tensor/cuda/launch.h"

namespace nystrom::cuda {
namespace {

constexpr int kThreads = 256;

template <class T>
struct Params {
  const std::int32_t* labels;
  const float* weights;
  T* d;
  std::int64_t count, columns;
};

template <class T>
__global__ void label_weights_kernel(Params<T> p) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= p.count) return;
  const std::int32_t label = p.labels[i / p.columns];
  if (label >= 0) p.d[i] = T(static_cast<float>(p.d[i]) * p.weights[label]);
}

}  // namespace

void weigh_by_label(CudaContext& context, const LabelWeights& args) {
  dispatch_device(args.d.dtype, [&]<class T>(T) {
    const Params<T> p{.labels = args.labels.data<std::int32_t>(),
                      .weights = args.weights.data<float>(),
                      .d = args.d.data<T>(),
                      .count = args.d.numel(),
                      .columns = args.d.dim(1)};
    if (p.count == 0) return;
    const auto blocks = static_cast<unsigned>((p.count + kThreads - 1) / kThreads);
    launch(context.stream(), dim3(blocks), dim3(kThreads), 0, "weigh_by_label", label_weights_kernel<T>, p);
  });
}

}  // namespace nystrom::cuda
