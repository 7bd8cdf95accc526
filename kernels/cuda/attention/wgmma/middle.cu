// The M x M part of Nystrom attention's forward by wgmma, for 48 < M <= 64 (small_middle.h). Checked against
// the CPU through the emulation; not yet run on a GPU.

#include "kernels/cuda/attention/nystrom/small_middle.h"
#include "kernels/tensor/cuda/launch.h"

namespace nystrom::cuda {

void small_middle_by_group(CudaContext& context, const NystromMiddle& args) {
  launch(context.stream(), dim3(static_cast<unsigned>(args.problem.batch * args.problem.heads)),
         dim3(kSquareThreads), SquareMemory<kForwardTiles>::bytes(), "attention_middle_forward",
         small_middle_kernel<true, ByGroup>, args);
}

}  // namespace nystrom::cuda
