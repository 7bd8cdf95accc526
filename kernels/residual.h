#pragma once
// Residual connection.

#include "kernels/tensor/context.h"
#include "kernels/tensor/tensor.h"

namespace nystrom {

/// y = residual + branch, all of one shape and activation dtype; overwritten; y may be either.
void add_residual(Context& context, const Tensor& residual, const Tensor& branch, const Tensor& y);

}  // namespace nystrom
