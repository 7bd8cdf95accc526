// Softmax attention of the CUDA backend: exact attention without a window.

#include "kernels/cuda/attention/kinds/exact_attention.h"
#include "kernels/cuda/ops.h"

namespace nystrom::cuda {

void softmax_attention_forward(CudaContext& context, const SoftmaxAttention& args) {
  exact_attention_forward(context, args, ExactWindow());
}

void softmax_attention_backward(CudaContext& context, const SoftmaxAttention& args,
                                const AttentionGradients& gradients) {
  exact_attention_backward(context, args, gradients, ExactWindow());
}

}  // namespace nystrom::cuda
