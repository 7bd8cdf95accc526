#include "kernels/matmul.h"

#include "kernels/cpu/ops.h"
#include "kernels/cuda/ops.h"

namespace nystrom {
namespace {

/// `padded`: rows may be wider than they need be.
void check(const Matmul& args, const MatmulSizes& s, bool padded) {
  const std::int64_t rows = args.transpose_a ? s.k : s.m, columns = args.transpose_a ? s.m : s.k;
  const auto fits = [&](const Tensor& x, std::int64_t width) {
    return x.dim(1) == width || (padded && x.dim(1) > width);
  };
  NYSTROM_CHECK(args.a.shape.rank() == 2 && args.b.shape.rank() == 2 && args.c.shape.rank() == 2 &&
                    args.a.dim(0) == rows && fits(args.a, columns) && fits(args.c, s.n),
                "{}{} by {}{} to {}", args.a.shape.text(), args.transpose_a ? "^T" : "", args.b.shape.text(),
                args.transpose_b ? "^T" : "", args.c.shape.text());
  NYSTROM_CHECK(args.a.dtype == args.b.dtype && compute_dtype(args.a.dtype) == compute_dtype(args.c.dtype) &&
                    (args.c.dtype == args.a.dtype || args.c.dtype == compute_dtype(args.a.dtype)),
                "{} by {} to {}", name_of(args.a.dtype), name_of(args.b.dtype), name_of(args.c.dtype));
  NYSTROM_CHECK(args.bias.empty() || (args.bias.numel() == s.n && !args.accumulate),
                "a bias {} for {} columns", args.bias.shape.text(), s.n);
}

}  // namespace

void matmul(Context& context, const Matmul& args) {
  const MatmulSizes s(args);
  check(args, s, context.cuda() != nullptr);
  if (s.m == 0 || s.n == 0 || (s.k == 0 && args.accumulate)) return;
  NYSTROM_CHECK(s.k > 0, "a product over nothing");
  NYSTROM_ON_CUDA(matmul, context, args);
  cpu::matmul(context, args);
}

}  // namespace nystrom
