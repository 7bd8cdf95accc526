#include "kernels/optimizer/average.h"

#include "kernels/cpu/ops.h"
#include "kernels/cuda/ops.h"

namespace nystrom {
namespace {

void check_pair(const Tensor& a, const Tensor& b) {
  NYSTROM_CHECK(a.numel() == b.numel() && a.dtype == b.dtype, "{} {} and {} {}", a.shape.text(),
                name_of(a.dtype), b.shape.text(), name_of(b.dtype));
}

}  // namespace

void average_step(Context& context, const Tensor& values, double decay, const Tensor& average) {
  check_pair(values, average);
  NYSTROM_CHECK(decay >= 0 && decay <= 1, "a decay of {}", decay);
  const OpScope scope(context, "average_step", 3 * static_cast<double>(values.numel()),
                      3 * static_cast<double>(values.bytes()));
  if (values.numel() == 0) return;
  NYSTROM_ON_CUDA(average_step, context, values, decay, average);
  cpu::average_step(context, values, decay, average);
}

void swap_values(Context& context, const Tensor& a, const Tensor& b) {
  check_pair(a, b);
  const OpScope scope(context, "swap_values", 0, 4 * static_cast<double>(a.bytes()));
  if (a.numel() == 0) return;
  NYSTROM_ON_CUDA(swap_values, context, a, b);
  cpu::swap_values(context, a, b);
}

}  // namespace nystrom
