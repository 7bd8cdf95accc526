// Losses of single numbers (value_loss.h), in fp64 by one block: a batch has few of them. The launch bounds
// it. Checked against the CPU through the emulation; not yet run on a GPU.

#include "kernels/cuda/ops.h"

#include "kernels/tensor/cuda/context.h"
#include "kernels/tensor/cuda/device_code.h"
#include "kernels/tensor/cuda/dispatch.h"
#include "kernels/tensor/cuda/launch.h"

namespace nystrom::cuda {
namespace {

constexpr int kThreads = 256;

struct Value {
  double loss, slope;
  bool right;
};

__device__ Value squared(double x, double y) {
  return {(x - y) * (x - y), 2 * (x - y), false};
}

// log(1 + e^x) = max(x, 0) + log(1 + e^-|x|), which neither overflows nor cancels.
__device__ Value sigmoid(double x, double y) {
  const double e = exp(-fabs(x));
  const double probability = (x >= 0 ? 1 : e) / (1 + e);
  return {fmax(x, 0.0) + log1p(e) - x * y, probability - y, (x > 0) == (y > 0.5)};
}

template <class T>
struct Params {
  const float *predictions, *targets;
  T* d;  // null: no gradient
  double scale;
  double* sums;  // [3]
  std::int64_t count;
};

template <class T, bool kSigmoid>
__global__ void value_loss_kernel(Params<T> p) {
  double loss = 0, right = 0, counted = 0;
  for (std::int64_t i = threadIdx.x; i < p.count; i += kThreads) {
    const float y = p.targets[i];
    const bool ignored = y != y;
    const auto x = static_cast<double>(p.predictions[i]);
    const Value v = kSigmoid ? sigmoid(x, static_cast<double>(y)) : squared(x, static_cast<double>(y));
    if (!ignored) {
      loss += v.loss;
      right += v.right ? 1 : 0;
      counted += 1;
    }
    if (p.d != nullptr) p.d[i] = T(static_cast<float>(ignored ? 0.0 : p.scale * v.slope));
  }
  double* shared = shared_memory<double>();
  loss = block_sum(loss, shared);
  right = block_sum(right, shared);
  counted = block_sum(counted, shared);
  if (threadIdx.x != 0) return;
  p.sums[0] += loss;
  p.sums[1] += right;
  p.sums[2] += counted;
}

template <class T>
void run(CudaContext& context, const ValueLoss& args) {
  const Params<T> p{.predictions = args.predictions.data<float>(),
                    .targets = args.targets.data<float>(),
                    .d = args.d.empty() ? nullptr : args.d.data<T>(),
                    .scale = args.scale,
                    .sums = args.sums.data<double>(),
                    .count = args.predictions.numel()};
  const auto kernel =
      args.kind == ValueLossKind::kSigmoid ? value_loss_kernel<T, true> : value_loss_kernel<T, false>;
  launch(context.stream(), dim3(1), dim3(kThreads), sizeof(double) * kWarp, "value_loss", kernel, p);
}

}  // namespace

void value_loss(CudaContext& context, const ValueLoss& args) {
  const DType type = args.d.empty() ? args.predictions.dtype : args.d.dtype;
  dispatch_device(type, [&]<class T>(T) { run<T>(context, args); });
}

}  // namespace nystrom::cuda
