#pragma once
// GELU (Hendrycks and Gimpel, arXiv 1606.08415), exact or by tanh as GPT-2 and BERT's gelu_new:
//   gelu:     y = x Phi(x)
//   gelu_new: y = x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))

#include "kernels/tensor/context.h"
#include "kernels/tensor/tensor.h"

namespace nystrom {

enum class Activation { kGeluNew, kGelu };

/// y [N, F] = gelu(x [N, F]); overwritten; y may be x.
void gelu_forward(Context& context, Activation kind, const Tensor& x, const Tensor& y);

/// d_x [N, F] = d_y * gelu'(x), overwritten (d_x may be d_y); d_bias [F] (compute dtype; may be empty) += its
/// column sums.
void gelu_backward(Context& context, Activation kind, const Tensor& x, const Tensor& d_y, const Tensor& d_x,
                   const Tensor& d_bias);

}  // namespace nystrom
