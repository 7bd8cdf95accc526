#include "kernels/relu.h"

#include "kernels/cpu/ops.h"
#include "kernels/cuda/ops.h"

namespace nystrom {

void relu_forward(Context& context, const Tensor& x, const Tensor& y) {
  NYSTROM_CHECK(x.shape == y.shape && x.dtype == y.dtype, "x is {}, y {}", x.shape.text(), y.shape.text());
  const OpScope scope(context, "relu_forward", static_cast<double>(x.numel()),
                      2 * static_cast<double>(x.bytes()));
  NYSTROM_ON_CUDA(relu_forward, context, x, y);
  cpu::relu_forward(context, x, y);
}

void relu_backward(Context& context, const Tensor& y, const Tensor& d_y, const Tensor& d_x) {
  NYSTROM_CHECK(y.shape == d_y.shape && y.shape == d_x.shape, "y is {}, d_y {}, d_x {}", y.shape.text(),
                d_y.shape.text(), d_x.shape.text());
  const OpScope scope(context, "relu_backward", static_cast<double>(y.numel()),
                      3 * static_cast<double>(y.bytes()));
  NYSTROM_ON_CUDA(relu_backward, context, y, d_y, d_x);
  cpu::relu_backward(context, y, d_y, d_x);
}

}  // namespace nystrom
