#pragma once
// The ops' CPU implementations, called by kernels/dispatch once shapes are checked. Contracts: kernels/OP.h.

#include "kernels/nystrom_attention.h"
#include "kernels/softmax_attention.h"

namespace nystrom::cpu {

/// Elements of the workspace in compute dtype.
std::int64_t nystrom_attention_workspace(const NystromOptions& options, const AttentionLimits& limits);
void nystrom_attention_forward(Context& context, const NystromAttention& args);
void nystrom_attention_backward(Context& context, const NystromAttention& args,
                                const AttentionGradients& gradients);

std::int64_t softmax_attention_workspace(const AttentionLimits& limits);
void softmax_attention_forward(Context& context, const SoftmaxAttention& args);
void softmax_attention_backward(Context& context, const SoftmaxAttention& args,
                                const AttentionGradients& gradients);

}  // namespace nystrom::cpu
