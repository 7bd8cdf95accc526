#include "kernels/fill.h"

#include "kernels/cpu/ops.h"
#include "kernels/cuda/ops.h"

namespace nystrom {

void fill_zero(Context& context, const Tensor& x) {
  const OpScope scope(context, "fill_zero", 0, static_cast<double>(x.bytes()));
  NYSTROM_ON_CUDA(fill_zero, context, x);
  cpu::fill_zero(context, x);
}

}  // namespace nystrom
