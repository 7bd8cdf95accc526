#pragma once
// Exact attention on the GPU, of all pairs of tokens or within a window.

#include "kernels/attention/softmax.h"
#include "kernels/cuda/attention/launch_arguments.h"

namespace nystrom::cuda {

/// Tokens that a token sees; by default all.
struct ExactWindow {
  int half = -1;  ///< so far on each side; -1: all
  bool first_is_global = false;
};

void exact_attention_forward(CudaContext& context, const SoftmaxAttention& args, const ExactWindow& window);
void exact_attention_backward(CudaContext& context, const SoftmaxAttention& args,
                              const AttentionGradients& gradients, const ExactWindow& window);

}  // namespace nystrom::cuda
