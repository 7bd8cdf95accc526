#include "kernels/linear.h"

#include "kernels/cpu/ops.h"
#include "kernels/cuda/ops.h"
#include "kernels/matmul.h"

namespace nystrom {
namespace {

/// Of x [N, in] and a weight, or of what has the size of one of them.
double flops(const Tensor& x, const Tensor& w) {
  return 2 * static_cast<double>(x.dim(0)) * static_cast<double>(w.numel());
}

double bytes(const Tensor& a, const Tensor& b, const Tensor& c, bool accumulate) {
  return static_cast<double>(a.bytes() + b.bytes() + c.bytes() * (accumulate ? 2 : 1));
}

}  // namespace

void linear_forward(Context& context, const Tensor& x, const Tensor& w, const Tensor& bias, const Tensor& y) {
  const OpScope scope(context, "linear_forward", flops(x, w), bytes(x, w, y, false));
  matmul(context, {.a = x, .b = w, .transpose_b = true, .bias = bias, .c = y});
}

void linear_backward_input(Context& context, const Tensor& d_y, const Tensor& w, const Tensor& d_x,
                           bool accumulate) {
  const OpScope scope(context, "linear_backward_input", flops(d_y, w), bytes(d_y, w, d_x, accumulate));
  matmul(context, {.a = d_y, .b = w, .c = d_x, .accumulate = accumulate});
}

void linear_backward_weight(Context& context, const Tensor& d_y, const Tensor& x, const Tensor& d_w,
                            const Tensor& d_bias) {
  NYSTROM_CHECK(d_w.dtype == compute_dtype(x.dtype), "d_w is {}", name_of(d_w.dtype));
  NYSTROM_CHECK(d_bias.empty() || d_bias.numel() == d_w.dim(0), "d_w is {}, d_bias {}", d_w.shape.text(),
                d_bias.shape.text());
  const bool sums_beside =
      !d_bias.empty() && !NYSTROM_CUDA_HAS(sums_in_product, context, d_y, x, d_w, d_bias);
  if (sums_beside) column_sums(context, d_y, d_bias);
  const OpScope scope(context, "linear_backward_weight", flops(x, d_w), bytes(d_y, x, d_w, true));
  if (!d_bias.empty() && !sums_beside) NYSTROM_ON_CUDA(linear_backward_weight, context, d_y, x, d_w, d_bias);
  matmul(context, {.a = d_y, .b = x, .transpose_a = true, .c = d_w, .accumulate = true});
}

void column_sums(Context& context, const Tensor& d_y, const Tensor& d_bias) {
  NYSTROM_CHECK(d_y.shape.rank() == 2 && (d_bias.numel() == d_y.dim(1) ||
                                          (context.cuda() != nullptr && d_bias.numel() < d_y.dim(1))),
                "d_y is {}, d_bias {}", d_y.shape.text(), d_bias.shape.text());
  const OpScope scope(context, "column_sums", static_cast<double>(d_y.numel()),
                      static_cast<double>(d_y.bytes()));
  NYSTROM_ON_CUDA(column_sums, context, d_y, d_bias);
  cpu::column_sums(context, d_y, d_bias);
}

}  // namespace nystrom
