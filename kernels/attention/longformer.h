#pragma once
// Longformer attention (Beltagy et al., arXiv 2004.05150): softmax attention within a sliding window, in time
// linear in n.
//   context_i = sum_j softmax_j(q_i . k_j / sqrt(D)) v_j   over the j with |i - j| <= w / 2
// With a global first token it sees all tokens, and all see it; by the same projections, and no key counts
// twice. Dropout as in softmax attention. The same bits for any thread count and whoever the neighbours are.

#include "kernels/attention/attention.h"
#include "kernels/core/names.h"

namespace nystrom {

enum class GlobalTokens { kNone, kFirst };

template <>
struct EnumNames<GlobalTokens> {
  static constexpr Named<GlobalTokens> kAll[] = {{GlobalTokens::kNone, "none"},
                                                 {GlobalTokens::kFirst, "first"}};
};

struct LongformerAttention {
  std::int64_t window = 256;  ///< w, even
  GlobalTokens global_tokens = GlobalTokens::kNone;
  AttentionInputs inputs;
  /// [T, H, 2] (on a GPU laid out [H, T, 2]) compute dtype: maximum and 1 / sum of each query's softmax,
  /// which forward keeps for backward.
  Tensor row_stats;
};

/// Books row_stats (lifetime: saved).
Tensor plan_longformer_attention_stats(Planner& planner, DType activation, const AttentionLimits& limits);
/// Books the workspace of forward and backward (lifetime: scratch; compute dtype). One tensor serves all
/// layers of one shape.
Tensor plan_longformer_attention_workspace(Planner& planner, DType activation, const AttentionLimits& limits);

void longformer_attention_forward(Context& context, const LongformerAttention& args);
/// Recomputes the softmax from row_stats.
void longformer_attention_backward(Context& context, const LongformerAttention& args,
                                   const AttentionGradients& gradients);

}  // namespace nystrom
