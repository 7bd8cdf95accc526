#include "kernels/unit_rows.h"

#include "kernels/cpu/ops.h"
#include "kernels/cuda/ops.h"

namespace nystrom {
namespace {

void check_parts(const Tensor& whole, const Tensor& part, const Tensor& norms, double length) {
  NYSTROM_CHECK(whole.dim(0) == part.dim(0) && part.dim(1) <= whole.dim(1) && norms.numel() == part.dim(0),
                "rows {}, of which {}, and {} norms", whole.shape.text(), part.shape.text(), norms.numel());
  NYSTROM_CHECK(whole.dtype == part.dtype && norms.dtype == part.dtype && part.dtype != DType::kBF16,
                "rows are {}, parts {}, norms {}", name_of(whole.dtype), name_of(part.dtype),
                name_of(norms.dtype));
  NYSTROM_CHECK(length > 0, "rows of length {}", length);
}

}  // namespace

void unit_rows_forward(Context& context, const UnitRows& args) {
  check_parts(args.x, args.y, args.norms, args.length);
  const OpScope scope(context, "unit_rows_forward", 3 * static_cast<double>(args.y.numel()),
                      2 * static_cast<double>(args.y.bytes()));
  NYSTROM_ON_CUDA(unit_rows_forward, context, args);
  cpu::unit_rows_forward(context, args);
}

void unit_rows_backward(Context& context, const UnitRowsGradient& args) {
  check_parts(args.d_x, args.d_y, args.norms, args.length);
  NYSTROM_CHECK(args.y.shape == args.d_y.shape, "y is {}, d_y {}", args.y.shape.text(),
                args.d_y.shape.text());
  const OpScope scope(context, "unit_rows_backward", 6 * static_cast<double>(args.y.numel()),
                      4 * static_cast<double>(args.y.bytes()));
  NYSTROM_ON_CUDA(unit_rows_backward, context, args);
  cpu::unit_rows_backward(context, args);
}

}  // namespace nystrom
