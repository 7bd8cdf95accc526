// fp32 is multiplied by kernels of our own (products/fp32.h), bf16 by one of several implementations
// (matmul_bf16.h); fp64, which only gradient checks use, is a plain loop. docs/performance-appendix.md has
// the measurements behind these choices.

#include <algorithm>

#include "kernels/cpu/matmul_bf16.h"
#include "kernels/cpu/ops.h"
#include "kernels/cpu/product_of.h"
#include "kernels/cpu/products/fp32.h"

namespace nystrom {
namespace {

/// c = bias in every row, or 0 without one.
void start_rows(Context& context, const Tensor& c, const Tensor& bias) {
  const std::int64_t columns = c.dim(1);
  double* to = c.data<double>();
  const double* from = bias.empty() ? nullptr : bias.data<double>();
  parallel_for(context, c.dim(0), 16, [=](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      if (from == nullptr)
        std::fill_n(to + row * columns, columns, 0.0);
      else
        std::copy_n(from, columns, to + row * columns);
    }
  });
}

void matmul_f64(Context& context, const Matmul& args, const MatmulSizes& s) {
  if (!args.accumulate) start_rows(context, args.c, args.bias);
  const double* a = args.a.data<double>();
  const double* b = args.b.data<double>();
  double* c = args.c.data<double>();
  const std::int64_t a_row = args.transpose_a ? 1 : s.k, a_column = args.transpose_a ? s.m : 1;
  parallel_for(context, s.m, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      double* row = c + i * s.n;
      if (args.transpose_b) {
        for (std::int64_t j = 0; j < s.n; ++j) {
          double sum = 0;
          for (std::int64_t p = 0; p < s.k; ++p) sum += a[i * a_row + p * a_column] * b[j * s.k + p];
          row[j] += sum;
        }
      } else {
        for (std::int64_t p = 0; p < s.k; ++p) {
          const double factor = a[i * a_row + p * a_column];
          for (std::int64_t j = 0; j < s.n; ++j) row[j] += factor * b[p * s.n + j];
        }
      }
    }
  });
}

}  // namespace

namespace cpu {

void matmul(Context& context, const Matmul& args) {
  switch (args.a.dtype) {
    case DType::kF32:
      return product_fp32(context, product_of(args));
    case DType::kF64:
      return matmul_f64(context, args, MatmulSizes(args));
    case DType::kBF16:
      return bf16_matmul().run(context, args);
    default:
      throw InternalError(fmt::format("a matrix product of {}", name_of(args.a.dtype)));
  }
}

}  // namespace cpu
}  // namespace nystrom
