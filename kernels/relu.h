#pragma once
// ReLU: y = max(x, 0).

#include "kernels/tensor/context.h"
#include "kernels/tensor/tensor.h"

namespace nystrom {

/// y [N, C] = max(x, 0), overwritten; y may be x. NaN stays NaN.
void relu_forward(Context& context, const Tensor& x, const Tensor& y);
/// d_x = d_y where y > 0, else 0; overwritten; d_x may be d_y. y as forward left it.
void relu_backward(Context& context, const Tensor& y, const Tensor& d_y, const Tensor& d_x);

}  // namespace nystrom
