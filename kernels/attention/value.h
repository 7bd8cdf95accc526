#pragma once
// No attention, for ablations: context = v, so that only the convolution mixes tokens. qkv [T, C] is v alone.
// The same bits for any thread count and whoever the neighbours are.

#include "kernels/attention/attention.h"

namespace nystrom {

/// Books the workspace of forward and backward (lifetime: scratch; compute dtype). One tensor serves all
/// layers of one shape.
Tensor plan_value_attention_workspace(Planner& planner, DType activation, const AttentionLimits& limits);

/// `inputs` without dropout: there are no probabilities.
void value_attention_forward(Context& context, const AttentionInputs& inputs);
void value_attention_backward(Context& context, const AttentionInputs& inputs,
                              const AttentionGradients& gradients);

}  // namespace nystrom
