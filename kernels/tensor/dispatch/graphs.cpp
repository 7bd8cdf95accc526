#include "kernels/tensor/graphs.h"

#ifdef NYSTROM_WITH_CUDA
#include "kernels/tensor/cuda/graphs.h"
#endif

namespace nystrom {

std::unique_ptr<OpGraphs> make_op_graphs(const Context& context) {
#ifdef NYSTROM_WITH_CUDA
  if (context.cuda() != nullptr && !cuda::synchronous_launches())
    return std::make_unique<cuda::DeviceGraphs>(context);
#endif
  (void)context;
  return nullptr;
}

}  // namespace nystrom
