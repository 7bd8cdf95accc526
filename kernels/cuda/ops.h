#pragma once
// The ops' CUDA implementations, called by kernels/dispatch once shapes are checked. Contracts: kernels/OP.h.
//
// Attention in bf16: all that is not an activation (landmarks, softmaxes, W, gradients of them) enters
// products in two bf16 parts, so that results are those of the CPU but for the rounding of the activations;
// only exact softmax takes its probabilities in one. The same bits each time.

#include "kernels/nystrom_attention.h"
#include "kernels/softmax_attention.h"

namespace nystrom::cuda {

void nystrom_attention_forward(CudaContext& context, const NystromAttention& args);
void nystrom_attention_backward(CudaContext& context, const NystromAttention& args,
                                const AttentionGradients& gradients);

void softmax_attention_forward(CudaContext& context, const SoftmaxAttention& args);
void softmax_attention_backward(CudaContext& context, const SoftmaxAttention& args,
                                const AttentionGradients& gradients);

}  // namespace nystrom::cuda
