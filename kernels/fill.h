#pragma once

#include "kernels/tensor/context.h"
#include "kernels/tensor/tensor.h"

namespace nystrom {

/// All bytes of x are zero afterwards.
void fill_zero(Context& context, const Tensor& x);

namespace cuda {
void fill_zero(CudaContext& context, const Tensor& x);
}

}  // namespace nystrom
