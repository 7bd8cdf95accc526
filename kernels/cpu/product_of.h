#pragma once
// The operands of a matmul() as the kernels in products/ take them.

#include "kernels/cpu/products/slab.h"
#include "kernels/matmul.h"

namespace nystrom {

/// Rows of op(a), or columns of op(b): the numbers of each along k are next to each other, or `stored` is
/// transposed for that purpose.
inline Lanes lanes_of(const Tensor& stored, bool along_k) {
  const auto size = static_cast<std::int64_t>(size_of(stored.dtype)), row = stored.dim(1) * size;
  return {.data = static_cast<const std::byte*>(stored.address),
          .lane = along_k ? row : size,
          .step = along_k ? size : row};
}

inline Product product_of(const Matmul& args) {
  const MatmulSizes s(args);
  return {.m = s.m,
          .n = s.n,
          .k = s.k,
          .a = lanes_of(args.a, !args.transpose_a),
          .b = lanes_of(args.b, args.transpose_b),
          .bias = args.bias.empty() ? nullptr : args.bias.data<float>(),
          .c = static_cast<std::byte*>(args.c.address),
          .c_row = s.n,
          .accumulate = args.accumulate};
}

}  // namespace nystrom
