#pragma once
// Performer attention, FAVOR+ (Choromanski et al., ICLR 2021, arXiv 2009.14794): softmax attention estimated
// with m positive random features f_r(x) = e^(w_r . x^ - |x^|^2 / 2), x^ = x / D^(1/4), in time and memory
// linear in n:
//   context_i = f(q_i)^T sum_j f(k_j) v_j^T / f(q_i)^T sum_j f(k_j)
// computed as two softmaxes, which needs no epsilon and overflows nowhere:
//   Z_r = sum_j f_r(k_j),  B_r = sum_j f_r(k_j) v_j / Z_r
//   context_i = sum_r softmax_r(w_r . q^_i + log Z_r) B_r
// The same bits for any thread count and whoever the neighbours are.

#include "kernels/attention/attention.h"

namespace nystrom {

/// What forward keeps for backward besides qkv and out. Sizes for at most B sequences and T tokens.
struct PerformerSaved {
  Tensor values;     ///< [B, H, m, D] compute dtype: B
  Tensor key_stats;  ///< [B, H, m, 2] compute dtype: maximum and 1 / sum of each feature's softmax over keys
  Tensor row_stats;  ///< [T, H, 2] (on a GPU laid out [H, T, 2]) compute dtype: the same of each query's
                     ///< softmax over features

  /// Books them (lifetime: saved).
  static PerformerSaved plan(Planner& planner, std::int64_t features, DType activation,
                             const AttentionLimits& limits);
};

struct PerformerAttention {
  AttentionInputs inputs;  ///< without dropout: no kernel has a probability for each pair
  Tensor features;         ///< [H, m, D] compute dtype: w
  PerformerSaved saved;
};

/// Books the workspace of forward and backward (lifetime: scratch; compute dtype). One tensor serves all
/// layers of one shape.
Tensor plan_performer_attention_workspace(Planner& planner, std::int64_t features, DType activation,
                                          const AttentionLimits& limits);

void performer_attention_forward(Context& context, const PerformerAttention& args);
/// Recomputes both softmaxes from their saved statistics.
void performer_attention_backward(Context& context, const PerformerAttention& args,
                                  const AttentionGradients& gradients);

}  // namespace nystrom
