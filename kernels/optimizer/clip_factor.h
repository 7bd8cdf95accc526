#pragma once
// Gradient clipping by global norm, as PyTorch's clip_grad_norm_, without a copy of the norm to the host:
//   norm = |gradients|,  factor = min(1, clip / (norm + 1e-6));  1 if clip is 0, 0 if norm is not finite.
// adamw_step reads the factor where it was computed; a factor of 0 skips the update.

#include "kernels/tensor/context.h"
#include "kernels/tensor/tensor.h"

namespace nystrom {

/// gradients [N] compute dtype; result [2] fp64, overwritten: norm (summed in fp64), factor. The same bits
/// whatever the thread count.
void clip_factor(Context& context, const Tensor& gradients, double clip, const Tensor& result);

}  // namespace nystrom
