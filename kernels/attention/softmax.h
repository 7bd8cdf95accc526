#pragma once
// Softmax attention: context = softmax(q k^T / sqrt(D)) v, exact, in tiles (Dao et al., arXiv 2205.14135).
// With dropout, probability (i, j) of head h of a sequence with n rows is element h n^2 + i n + j, at
// position 0. Results are bit-identical for any thread count and do not depend on the other sequences of the
// batch.
//
// A sequence may be split across ranks of a group (inputs.spans; on a CPU, without padding): each has the
// keys and values of all its rows in its workspace, and the gradients of those are summed over the ranks.
// Where it is cut at multiples of softmax_cut_rows() out and d_q have the bits of one rank; d_k and d_v are
// equal to rounding.

#include "kernels/attention/attention.h"

namespace nystrom {

struct SoftmaxAttention {
  AttentionInputs inputs;
  /// [T, H, 2] (on a GPU laid out [H, T, 2]) compute dtype: maximum and 1 / sum of each query's softmax,
  /// which forward keeps for backward.
  Tensor row_stats;
};

/// Books row_stats (lifetime: saved).
Tensor plan_softmax_attention_stats(Planner& planner, DType activation, const AttentionLimits& limits);
/// Books the workspace of forward and backward (lifetime: scratch; compute dtype). One tensor serves all
/// layers of one shape. On a GPU heads have a multiple of 8 channels, at most 128; anything else is refused.
Tensor plan_softmax_attention_workspace(Planner& planner, DType activation, const AttentionLimits& limits);

/// Rows at whose multiples a sequence of this many rows is split across ranks; 0: it cannot be split.
[[nodiscard]] std::int64_t softmax_cut_rows(std::int64_t rows);

void softmax_attention_forward(Context& context, const SoftmaxAttention& args);
/// Recomputes the softmax from row_stats.
void softmax_attention_backward(Context& context, const SoftmaxAttention& args,
                                const AttentionGradients& gradients);

}  // namespace nystrom
