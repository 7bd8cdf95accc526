// Rectifier (relu.h), eight elements a thread; bytes 2 s and 3 s an element of size s; memory bounds it.
// Checked against the CPU through the emulation; not yet run on a GPU.

#include "kernels/cuda/ops.h"

#include "kernels/cuda/elementwise.h"

namespace nystrom::cuda {
namespace {

struct Relu {
  static __device__ float value(float x) { return x < 0.0F ? 0.0F : x; }
  static __device__ float gradient(float y, float d) { return y > 0.0F ? d : 0.0F; }
};

}  // namespace

void relu_forward(CudaContext& context, const Tensor& x, const Tensor& y) {
  elementwise_forward<Relu>(context, "relu_forward", x, y);
}

void relu_backward(CudaContext& context, const Tensor& y, const Tensor& d_y, const Tensor& d_x) {
  elementwise_backward<Relu>(context, "relu_backward", y, d_y, d_x);
}

}  // namespace nystrom::cuda
