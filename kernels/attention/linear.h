#pragma once
// Linear attention (Katharopoulos et al., ICML 2020, arXiv 2006.16236), in time and memory linear in n:
//   context_i = sum_j (f(q_i) . f(k_j)) v_j / sum_j f(q_i) . f(k_j),   f = elu + 1
// without any scale or epsilon: sums over the keys come first, as the state S = sum_j f(k_j) [v_j, 1]^T. The
// same bits for any thread count and whoever the neighbours are.

#include "kernels/attention/attention.h"

namespace nystrom {

struct LinearAttention {
  AttentionInputs inputs;  ///< without dropout: there are no probabilities
  Tensor state;            ///< [B, H, D, D + 1] compute dtype: S, which forward keeps for backward
};

/// Books `state` (lifetime: saved).
Tensor plan_linear_attention_state(Planner& planner, DType activation, const AttentionLimits& limits);
/// Books the workspace of forward and backward (lifetime: scratch; compute dtype). One tensor serves all
/// layers of one shape.
Tensor plan_linear_attention_workspace(Planner& planner, DType activation, const AttentionLimits& limits);

void linear_attention_forward(Context& context, const LinearAttention& args);
void linear_attention_backward(Context& context, const LinearAttention& args,
                               const AttentionGradients& gradients);

}  // namespace nystrom
