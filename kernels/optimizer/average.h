#pragma once
// Averaged weights: an exponential moving average (EMA), and the exchange of the two.

#include "kernels/tensor/context.h"
#include "kernels/tensor/tensor.h"

namespace nystrom {

/// average [N] = average + (1 - decay) (values - average); values [N] of the same type, fp32 or fp64.
void average_step(Context& context, const Tensor& values, double decay, const Tensor& average);

/// a [N] and b [N], of one type, change their contents.
void swap_values(Context& context, const Tensor& a, const Tensor& b);

}  // namespace nystrom
