#include "kernels/optimizer/clip_factor.h"

#include "kernels/cpu/ops.h"
#include "kernels/cuda/ops.h"

namespace nystrom {

void clip_factor(Context& context, const Tensor& gradients, double clip, const Tensor& result) {
  NYSTROM_CHECK(result.numel() == 2 && result.dtype == DType::kF64, "the result is {} {}",
                name_of(result.dtype), result.shape.text());
  NYSTROM_CHECK(clip >= 0, "a clip of {}", clip);
  NYSTROM_ON_CUDA(clip_factor, context, gradients, clip, result);
  cpu::clip_factor(context, gradients, clip, result);
}

}  // namespace nystrom
