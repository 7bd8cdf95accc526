#pragma once
// Sum of squares on the device, left there.

#include "kernels/tensor/cuda/context.h"
#include "kernels/tensor/tensor.h"

namespace nystrom::cuda {

/// Partial sums in fp64 that a second kernel has yet to add up.
struct PartialSquares {
  const double* values;
  int count;
};
/// Starts the first kernel over x (fp32, not empty); the partials lie in the context's workspace, beyond its
/// first 256 bytes.
[[nodiscard]] PartialSquares partial_squares(CudaContext& context, const Tensor& x);

/// *sum (device memory) = the sum of squares of x (fp32, not empty), in fp64; the same bits each time.
void sum_of_squares(CudaContext& context, const Tensor& x, double* sum);

}  // namespace nystrom::cuda
