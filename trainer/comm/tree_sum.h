#pragma once
// Sum of the ranks' values, in the order of a binomial tree: rank r adds those of r + 1, then the sum of
// r + 2 and r + 3, then that of r + 4 to r + 7, and so on. MPI's own all-reduces of small tensors take this
// order, and rounding errors grow with the logarithm of the number of ranks.

#include <cstdint>
#include <span>

#include "kernels/tensor/tensor.h"

namespace nystrom {

/// sums[0] [n] = sum of all; the others are overwritten. All are of one type: fp32, fp64, or bf16, whose
/// partial sums are rounded to bf16. On the calling thread.
void tree_sum(std::span<const Tensor> sums);

}  // namespace nystrom
