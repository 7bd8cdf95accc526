#include "kernels/residual.h"

#include "kernels/cpu/ops.h"
#include "kernels/cuda/ops.h"

namespace nystrom {

void add_residual(Context& context, const Tensor& residual, const Tensor& branch, const Tensor& y) {
  NYSTROM_CHECK(residual.shape == y.shape && branch.shape == y.shape, "residual {}, branch {}, y {}",
                residual.shape.text(), branch.shape.text(), y.shape.text());
  const OpScope scope(context, "add_residual", static_cast<double>(y.numel()),
                      3 * static_cast<double>(y.bytes()));
  NYSTROM_ON_CUDA(add_residual, context, residual, branch, y);
  cpu::add_residual(context, residual, branch, y);
}

}  // namespace nystrom
