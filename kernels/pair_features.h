#pragma once
// Features of a pair of rows a and b for a classifier: (a, b, a b, a - b), the product elementwise.

#include "kernels/tensor/context.h"
#include "kernels/tensor/tensor.h"

namespace nystrom {

/// y [P, 4 C] of x [2 P, C], rows 2 p and 2 p + 1 of which are a pair; overwritten.
void pair_features_forward(Context& context, const Tensor& x, const Tensor& y);
/// d_x [2 P, C] of d_y [P, 4 C], overwritten.
void pair_features_backward(Context& context, const Tensor& x, const Tensor& d_y, const Tensor& d_x);

}  // namespace nystrom
