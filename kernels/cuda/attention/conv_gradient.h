#pragma once
// Gradient of the depthwise convolution's filter.

#include "kernels/cuda/attention/problem.h"
#include "kernels/tensor/cuda/context.h"

namespace nystrom::cuda {

template <class T>
struct FilterGradient {
  AttentionProblem problem;
  const T* qkv;     // [T, P C]
  const T* d_out;   // [T, C]
  float* parts;     // [B, H, chunks, windows, K]
  float* d_filter;  // [H, K], added to
  Halos<T> halos;   // of d_out
};
template <class T>
void filter_gradient(CudaContext& context, const FilterGradient<T>& args);

}  // namespace nystrom::cuda
