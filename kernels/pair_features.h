#pragma once
// What a classifier of pairs sees of two rows a and b: (a, b, a b, a - b), the product by elements.

#include "kernels/tensor/context.h"
#include "kernels/tensor/tensor.h"

namespace nystrom {

/// y [P, 4 C] of x [2 P, C], rows 2 p and 2 p + 1 of which are a pair; overwritten.
void pair_features_forward(Context& context, const Tensor& x, const Tensor& y);
/// d_x [2 P, C] of d_y [P, 4 C], overwritten.
void pair_features_backward(Context& context, const Tensor& x, const Tensor& d_y, const Tensor& d_x);

}  // namespace nystrom
