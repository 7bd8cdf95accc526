#include "kernels/linear_gelu.h"

#include "kernels/cuda/ops.h"
#include "kernels/linear.h"

namespace nystrom {
namespace {

void check(const LinearGelu& args) {
  NYSTROM_CHECK(args.pre.shape == args.y.shape && args.pre.dtype == args.x.dtype &&
                    args.y.dtype == args.x.dtype && args.pre.address != args.y.address,
                "pre is {} {}, y {} {}", name_of(args.pre.dtype), args.pre.shape.text(),
                name_of(args.y.dtype), args.y.shape.text());
}

/// Floating-point operations and bytes of a product [N, k] by [k, n] beside which [N, n] is read or written
/// twice.
OpScope product_scope(Context& context, std::string_view name, const Tensor& x, const Tensor& w,
                      const Tensor& y) {
  const double flops = 2 * static_cast<double>(x.dim(0)) * static_cast<double>(w.numel());
  return {context, name, flops, static_cast<double>(x.bytes() + w.bytes() + 2 * y.bytes())};
}

void forward_fused([[maybe_unused]] Context& context, const LinearGelu& args) {
  const OpScope scope = product_scope(context, "linear_gelu_forward", args.x, args.w, args.y);
  NYSTROM_ON_CUDA(linear_gelu_forward_fused, context, args);
}

void slope_fused(Context& context, const LinearGeluGradient& args) {
  const OpScope scope = product_scope(context, "linear_gelu_backward", args.d_next, args.w_next, args.d_pre);
  NYSTROM_ON_CUDA(gelu_slope_product, context, args);
}

}  // namespace

void linear_gelu_forward(Context& context, const LinearGelu& args) {
  check(args);
  if (NYSTROM_CUDA_HAS(is_fused, context, args)) return forward_fused(context, args);
  linear_forward(context, args.x, args.w, args.bias, args.pre);
  gelu_forward(context, args.kind, args.pre, args.y);
}

void linear_gelu_backward(Context& context, const LinearGeluGradient& args) {
  NYSTROM_CHECK(args.pre.shape == args.d_pre.shape && args.pre.address != args.d_pre.address,
                "pre is {}, d_pre {}", args.pre.shape.text(), args.d_pre.shape.text());
  if (NYSTROM_CUDA_HAS(is_fused, context, args)) {
    slope_fused(context, args);
    linear_backward_weight(context, args.d_pre, args.x, args.d_w, args.d_bias);
    return;
  }
  linear_backward_input(context, args.d_next, args.w_next, args.d_pre);
  gelu_backward(context, args.kind, args.pre, args.d_pre, args.d_pre, args.d_bias);
  linear_backward_weight(context, args.d_pre, args.x, args.d_w);
}

}  // namespace nystrom
