// The pseudo-inverse's backward by wgmma, for 48 < M <= 64 (small_pinv_gradient.h). Checked against the CPU
// through the emulation; not yet run on a GPU.

#include "kernels/cuda/attention/nystrom/small_pinv_gradient.h"
#include "kernels/tensor/cuda/launch.h"

namespace nystrom::cuda {

void small_pinv_gradient_by_group(CudaContext& context, const NystromMiddleGradient& args,
                                  std::int64_t slots) {
  launch(context.stream(), dim3(static_cast<unsigned>(slots)), dim3(kSquareThreads),
         SquareMemory<kSmallPinvTiles>::bytes(), "attention_pinv_backward",
         small_pinv_gradient_kernel<true, ByGroup>, args);
}

}  // namespace nystrom::cuda
