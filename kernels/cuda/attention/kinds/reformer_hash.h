#pragma once
// Order of the tokens of reformer attention by their buckets.

#include "kernels/cuda/attention/problem.h"
#include "kernels/tensor/cuda/context.h"

namespace nystrom::cuda {

struct ReformerSort {
  AttentionProblem problem;
  int hashes;                   // r
  const std::int32_t* buckets;  // [r, H, T]
  std::int32_t* order;          // [r, H, T]: the tokens of a sequence, by bucket, of a bucket in their order
  std::int32_t* counts;         // [r, H, 2 T + 3 B], workspace
};
void reformer_sort(CudaContext& context, const ReformerSort& sort);

}  // namespace nystrom::cuda
