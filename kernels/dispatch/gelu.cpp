#include "kernels/gelu.h"

#include "kernels/cpu/ops.h"
#include "kernels/cuda/ops.h"

namespace nystrom {

void gelu_forward(Context& context, Activation kind, const Tensor& x, const Tensor& y) {
  NYSTROM_CHECK(x.shape == y.shape, "x is {}, y {}", x.shape.text(), y.shape.text());
  const auto count = static_cast<double>(x.numel());
  const OpScope scope(context, "gelu_forward", 20 * count, 2 * static_cast<double>(x.bytes()));
  NYSTROM_ON_CUDA(gelu_forward, context, kind, x, y);
  cpu::gelu_forward(context, kind, x, y);
}

void gelu_backward(Context& context, Activation kind, const Tensor& x, const Tensor& d_y, const Tensor& d_x,
                   const Tensor& d_bias) {
  NYSTROM_CHECK(x.shape.rank() > 0 && x.shape == d_y.shape && x.shape == d_x.shape, "x is {}, d_y {}, d_x {}",
                x.shape.text(), d_y.shape.text(), d_x.shape.text());
  NYSTROM_CHECK(d_bias.empty() || d_bias.numel() == x.dim(x.shape.rank() - 1), "x is {}, d_bias {}",
                x.shape.text(), d_bias.shape.text());
  const auto count = static_cast<double>(x.numel());
  const OpScope scope(context, "gelu_backward", 30 * count, 3 * static_cast<double>(x.bytes()));
  NYSTROM_ON_CUDA(gelu_backward, context, kind, x, d_y, d_x, d_bias);
  cpu::gelu_backward(context, kind, x, d_y, d_x, d_bias);
}

}  // namespace nystrom
