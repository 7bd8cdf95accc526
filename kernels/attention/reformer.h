#pragma once
// Reformer attention (Kitaev et al., ICLR 2020, arXiv 2001.04451): softmax attention within chunks of tokens
// that hash alike. qkv [T, 2 C] is q and v; the key of a token is its query, of length one:
//   k_j = q_j / (|q_j|^2 + 10^-6 D)^(1/2),  l_ij = q_i . k_j
// In each of r rounds the tokens of a sequence are sorted by (bucket, index) and cut into G = ceil(n / c)
// chunks of c. A token sees its own chunk and the one before it (before the first: the last), not itself
// unless n = 1. With m_ij the number of rounds in which i sees j:
//   context_i = sum_j m_ij e^(l_ij) v_j / sum_j m_ij e^(l_ij)
// Gradients flow through both sides of l; hashes have none. The same bits for any thread count and whoever
// the neighbours are.

#include "kernels/attention/attention.h"

namespace nystrom {

/// b, the number of buckets of a sequence: the largest power of two that is not above 2 floor(n / c), at
/// least 2.
[[nodiscard]] std::int64_t reformer_buckets(std::int64_t rows, std::int64_t chunk);

struct ReformerHash {
  std::int64_t heads = 0;
  std::int64_t chunk = 64;  ///< c
  Sequences sequences;
  Tensor qkv;        ///< [T, 2 C] activation dtype
  Tensor rotations;  ///< [r, H, R, D] compute dtype, R at least half the buckets of the longest sequence
  Tensor workspace;  ///< of plan_reformer_attention_workspace
  Tensor buckets;    ///< [r, H, T] int32, overwritten
};

/// The bucket of a token: argmax over (R q, -R q), the first of equals, R the first b / 2 rotations. Each
/// product is summed channel by channel in compute dtype, so that all devices find the same.
void reformer_hash(Context& context, const ReformerHash& args);

struct ReformerAttention {
  std::int64_t chunk = 64;  ///< c
  AttentionInputs inputs;   ///< without dropout
  Tensor buckets;           ///< [r, H, T] int32, in [0, 2 n + 2) for a sequence of n tokens
  /// [T, H, 2] (on a GPU laid out [H, T, 2]) compute dtype: maximum and 1 / sum of each query's softmax over
  /// all rounds, which forward keeps for backward.
  Tensor row_stats;
};

/// Books row_stats (lifetime: saved).
Tensor plan_reformer_attention_stats(Planner& planner, DType activation, const AttentionLimits& limits);
/// Books the workspace of hash, forward and backward (lifetime: scratch; compute dtype). One tensor serves
/// all layers of one shape.
Tensor plan_reformer_attention_workspace(Planner& planner, std::int64_t hashes, std::int64_t chunk,
                                         DType activation, const AttentionLimits& limits);

void reformer_attention_forward(Context& context, const ReformerAttention& args);
/// Recomputes the softmax from row_stats.
void reformer_attention_backward(Context& context, const ReformerAttention& args,
                                 const AttentionGradients& gradients);

}  // namespace nystrom
