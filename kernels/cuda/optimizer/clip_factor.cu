// Sum of squares and the factor of clipping (clip_factor.h, sum_of_squares.h). A resident grid sums squares
// in fp64, each block a partial; one block adds the partials up. Bytes: 4 an element; memory bounds it (110 M
// parameters: 102 us at 4.3 TB/s).
// Checked against the CPU through the emulation; not yet run on a GPU.

#include "kernels/cuda/ops.h"

#include <algorithm>

#include "kernels/cuda/sum_of_squares.h"
#include "kernels/tensor/cuda/launch.h"
#include "kernels/tensor/cuda/vectors.h"

namespace nystrom::cuda {
namespace {

constexpr int kThreads = 256;
constexpr std::int64_t kBlock = std::int64_t{kThreads} * kEight;
constexpr std::size_t kFirst = 256;  // bytes of the workspace that callers keep for results

template <bool kRagged>
__global__ void partial_squares_kernel(const float* x, std::int64_t count, double* partials) {
  double sum = 0;
  for (std::int64_t first = (std::int64_t{blockIdx.x} * kThreads + threadIdx.x) * kEight; first < count;
       first += gridDim.x * kBlock) {
    const std::int64_t left = count - first;
    const Vec8 v = load8<kRagged>(x + first, static_cast<int>(left < kEight ? left : kEight));
#pragma unroll
    for (int i = 0; i < kEight; ++i) sum += static_cast<double>(v.v[i]) * static_cast<double>(v.v[i]);
  }
  sum = block_sum(sum, shared_memory<double>());
  if (threadIdx.x == 0) partials[blockIdx.x] = sum;
}

/// Of one block: the sum of the partials, in all threads.
__device__ double total(const PartialSquares& partials, double* shared) {
  double sum = 0;
  for (int i = static_cast<int>(threadIdx.x); i < partials.count; i += kThreads) sum += partials.values[i];
  return block_sum(sum, shared);
}

__global__ void total_kernel(PartialSquares partials, double* sum) {
  const double all = total(partials, shared_memory<double>());
  if (threadIdx.x == 0) *sum = all;
}

__global__ void factor_kernel(PartialSquares partials, double clip, double* result) {
  const double norm = sqrt(total(partials, shared_memory<double>()));
  if (threadIdx.x != 0) return;
  const bool finite = norm - norm == 0;
  const double clipped = clip / (norm + 1e-6);
  result[0] = norm;
  result[1] = finite ? (clip > 0 && clipped < 1 ? clipped : 1.0) : 0.0;
}

__global__ void factor_of_nothing_kernel(double* result) {
  result[0] = 0;
  result[1] = 1;
}

}  // namespace

PartialSquares partial_squares(CudaContext& context, const Tensor& x) {
  const std::int64_t count = x.numel();
  const std::int64_t blocks =
      std::clamp<std::int64_t>((count + kBlock - 1) / kBlock, 1, 8 * std::int64_t{context.multiprocessors()});
  auto* room =
      static_cast<std::byte*>(context.workspace(kFirst + static_cast<std::size_t>(blocks) * sizeof(double)));
  auto* partials = reinterpret_cast<double*>(room + kFirst);
  const float* values = x.data<float>();
  const auto kernel =
      whole_eights(values, count) ? partial_squares_kernel<false> : partial_squares_kernel<true>;
  launch(context.stream(), dim3(static_cast<unsigned>(blocks)), dim3(kThreads), sizeof(double) * 32,
         "partial_squares", kernel, values, count, partials);
  return {partials, static_cast<int>(blocks)};
}

void sum_of_squares(CudaContext& context, const Tensor& x, double* sum) {
  const PartialSquares partials = partial_squares(context, x);
  launch(context.stream(), dim3(1), dim3(kThreads), sizeof(double) * 32, "sum_of_squares", total_kernel,
         partials, sum);
}

void clip_factor(CudaContext& context, const Tensor& gradients, double clip, const Tensor& result) {
  auto* to = result.data<double>();
  if (gradients.numel() == 0) {
    launch(context.stream(), dim3(1), dim3(1), 0, "clip_factor", factor_of_nothing_kernel, to);
    return;
  }
  const PartialSquares partials = partial_squares(context, gradients);
  launch(context.stream(), dim3(1), dim3(kThreads), sizeof(double) * 32, "clip_factor", factor_kernel,
         partials, clip, to);
}

}  // namespace nystrom::cuda
