#pragma once
// Exact attention of all heads within a window: which heads and blocks of queries run on which thread.

#include "kernels/cpu/attention/exact_head.h"

namespace nystrom {

/// Elements of the workspace in compute dtype.
Index exact_attention_workspace(const AttentionLimits& limits);
void exact_attention_forward(Context& context, const SoftmaxAttention& args, const KeyWindow& window);
void exact_attention_backward(Context& context, const SoftmaxAttention& args,
                              const AttentionGradients& gradients, const KeyWindow& window);

}  // namespace nystrom
