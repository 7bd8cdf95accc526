#pragma once
// Vectorized loop over elements, eight a thread.

#include "kernels/tensor/cuda/context.h"
#include "kernels/tensor/cuda/launch.h"
#include "kernels/tensor/cuda/vectors.h"

namespace nystrom::cuda {

inline constexpr int kEightsThreads = 256;

template <bool kRagged, class Body>
__global__ void vectorized_kernel(std::int64_t count, Body body) {
  const std::int64_t first = (std::int64_t{blockIdx.x} * kEightsThreads + threadIdx.x) * kEight;
  if (first >= count) return;
  const std::int64_t left = count - first;
  body.template at<kRagged>(first, static_cast<int>(left < kEight ? left : kEight));
}

/// Runs body.at<kRagged>(first, n) for elements [first, first + n), n at most 8, over [0, count). `whole`:
/// whether count and all addresses of the body are whole eights (vectors.h).
template <class Body>
void vectorized_for_each(CudaContext& context, const char* name, std::int64_t count, bool whole,
                         const Body& body) {
  if (count == 0) return;
  constexpr std::int64_t kBlock = std::int64_t{kEightsThreads} * kEight;
  const auto kernel = whole ? vectorized_kernel<false, Body> : vectorized_kernel<true, Body>;
  launch(context.stream(), dim3(static_cast<unsigned>((count + kBlock - 1) / kBlock)), dim3(kEightsThreads),
         0, name, kernel, count, body);
}

}  // namespace nystrom::cuda
