#pragma once

#include "kernels/tensor/context.h"
#include "kernels/tensor/tensor.h"

namespace nystrom {

/// All bytes of x are zero afterwards.
void fill_zero(Context& context, const Tensor& x);

}  // namespace nystrom
