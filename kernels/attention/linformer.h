#pragma once
// Linformer attention (Wang et al., arXiv 2006.04768): softmax attention to R projections of keys and values,
// in time and memory linear in n.
//   k~_r = sum_j E[r, p_j] k_j,  v~_r = sum_j F[r, p_j] v_j
//   context_i = sum_r softmax_r(q_i . k~_r / sqrt(D)) v~_r
// p_j is the position of token j: columns of positions that a sequence lacks take no part. The same bits for
// any thread count; out and d_qkv whoever the neighbours are.

#include "kernels/attention/attention.h"
#include "kernels/core/names.h"

namespace nystrom {

/// What shares one projection.
enum class ProjectionSharing {
  kNone,  ///< nothing
  kKv     ///< keys and values: F is E
};

template <>
struct EnumNames<ProjectionSharing> {
  static constexpr Named<ProjectionSharing> kAll[] = {{ProjectionSharing::kNone, "none"},
                                                      {ProjectionSharing::kKv, "kv"}};
};

/// What forward keeps for backward besides qkv and out. Sizes for at most B sequences and T tokens.
struct LinformerSaved {
  Tensor keys, values;  ///< [B, H, R, D] compute dtype: k~ and v~
  Tensor row_stats;     ///< [T, H, 2] (on a GPU laid out [H, T, 2]) compute dtype: maximum and 1 / sum of
                        ///< each query's softmax

  /// Books them (lifetime: saved).
  static LinformerSaved plan(Planner& planner, std::int64_t projection, DType activation,
                             const AttentionLimits& limits);
};

struct LinformerAttention {
  AttentionInputs inputs;   ///< without dropout
  Tensor positions;         ///< [T] int32 in [0, P), ascending within a sequence
  Tensor projection_key;    ///< [H, R, P] compute dtype: E
  Tensor projection_value;  ///< [H, R, P] compute dtype: F; empty: E
  LinformerSaved saved;
};

/// Gradients of the projections, added to.
struct ProjectionGradients {
  Tensor d_key;    ///< [H, R, P] compute dtype
  Tensor d_value;  ///< [H, R, P] compute dtype; empty: that of F goes to d_key
};

/// Books the workspace of forward and backward (lifetime: scratch; compute dtype). One tensor serves all
/// layers of one shape.
Tensor plan_linformer_attention_workspace(Planner& planner, std::int64_t projection, DType activation,
                                          const AttentionLimits& limits);

void linformer_attention_forward(Context& context, const LinformerAttention& args);
/// Recomputes the softmax from row_stats.
void linformer_attention_backward(Context& context, const LinformerAttention& args,
                                  const AttentionGradients& gradients,
                                  const ProjectionGradients& projections);

}  // namespace nystrom
