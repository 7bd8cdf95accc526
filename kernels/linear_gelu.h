#pragma once
// A linear layer followed by GELU, the first half of a feed-forward network:
//   pre = x w^T + bias,   y = gelu(pre)
//
// Unfused (linear.h, then gelu.h), except on a GPU in bf16 with gelu_new, which is cuBLASLt's GELU epilogue:
// there y and d_pre are rounded once instead of twice. cuBLASLt has no exact gelu. fp32 stays unfused because
// it must agree with PyTorch to 1e-5, and the accuracy of the library's tanh is not documented.

#include "kernels/gelu.h"
#include "kernels/tensor/context.h"
#include "kernels/tensor/tensor.h"

namespace nystrom {

/// x [N, in], w [out, in] and pre and y [N, out], overwritten, of the activation dtype; bias [out] compute
/// dtype.
struct LinearGelu {
  Activation kind;
  Tensor x, w, bias;
  Tensor pre, y;  ///< not the same memory
};
void linear_gelu_forward(Context& context, const LinearGelu& args);

/// Backward from the layer behind, z = y w_next^T, to the gradients of w and bias:
///   d_pre = (d_next w_next) * gelu'(pre);   d_w += d_pre^T x;   d_bias += column sums of d_pre
struct LinearGeluGradient {
  Activation kind;
  Tensor d_next;  ///< [N, next] gradient of z
  Tensor w_next;  ///< [next, out]
  Tensor pre;     ///< [N, out] as forward left it
  Tensor x;       ///< [N, in]
  Tensor d_pre;   ///< [N, out], overwritten; not pre
  Tensor d_w;     ///< [out, in] compute dtype
  Tensor d_bias;  ///< [out] compute dtype
};
void linear_gelu_backward(Context& context, const LinearGeluGradient& args);

}  // namespace nystrom
