#pragma once
// Clipping by the norm of all gradients, as PyTorch's clip_grad_norm_, without the host knowing the norm:
//   norm = |gradients|,  factor = min(1, clip / (norm + 1e-6)),  1 where clip is 0, 0 where norm is not
//   finite.
// adamw_step takes the factor from where it lies; 0 makes it leave everything as it was.

#include "kernels/tensor/context.h"
#include "kernels/tensor/tensor.h"

namespace nystrom {

/// gradients [N] compute dtype; result [2] fp64, overwritten: norm (summed in fp64), factor. The same bits
/// whatever the thread count.
void clip_factor(Context& context, const Tensor& gradients, double clip, const Tensor& result);

}  // namespace nystrom
