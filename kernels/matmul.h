#pragma once
// Matrix products for the other ops of this folder: the only caller of a library for them.

#include <string_view>

#include "kernels/tensor/context.h"
#include "kernels/tensor/tensor.h"

namespace nystrom {

/// c [m, n] = op(a) op(b) (+ bias [n]) (+ c): row-major; op(a) is [m, k], stored as that or, transposed, as
/// [k, m]; op(b) is [k, n], stored as that or, transposed, as [n, k]. a and b share a floating dtype; sums
/// are in its compute dtype; c has one or the other; bias the compute dtype. On a GPU rows of a and c may be
/// wider, so that they begin where vectors do: what lies beyond is neither read nor written.
struct Matmul {
  Tensor a = {}, b = {};
  bool transpose_a = false, transpose_b = false;
  Tensor bias = {};  ///< empty: none
  Tensor c = {};
  bool accumulate = false;  ///< not together with bias
};
/// Sizes of op(a) [m, k] and op(b) [k, n].
struct MatmulSizes {
  std::int64_t m, n, k;

  explicit MatmulSizes(const Matmul& args)
      : m(args.c.dim(0)), n(args.b.dim(args.transpose_b ? 0 : 1)), k(args.b.dim(args.transpose_b ? 1 : 0)) {}
};

void matmul(Context& context, const Matmul& args);

/// How the CPU multiplies bf16: "AMX", "AVX512-BF16", "oneDNN" or "fp32".
std::string_view bf16_products();

/// Whether a CPU's ops in this precision compute on the threads of their context alone, and share their work
/// by parallel_for(). Else oneDNN multiplies, on OpenMP's threads.
bool computes_on_context_threads(DType precision);

}  // namespace nystrom
