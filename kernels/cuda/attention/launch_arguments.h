#pragma once
// Launch arguments that softmax and Nystrom attention share.

#include <cmath>
#include <limits>

#include "kernels/cuda/attention/backward.h"
#include "kernels/cuda/attention/conv_gradient.h"
#include "kernels/cuda/attention/forward.h"

namespace nystrom::cuda {

/// Without landmarks: every sequence attends exactly.
inline AttentionProblem problem_of(const CudaAttentionShape& shape, const AttentionInputs& inputs) {
  AttentionProblem problem;
  problem.offsets = inputs.sequences.offsets.data<std::int32_t>();
  problem.lengths = inputs.sequences.lengths.data<std::int32_t>();
  problem.tokens = inputs.sequences.tokens;
  problem.batch = static_cast<int>(shape.batch);
  problem.heads = static_cast<int>(shape.heads);
  problem.width = static_cast<int>(shape.width);
  problem.exact_rows = std::numeric_limits<int>::max();
  problem.taps = static_cast<int>(shape.taps);
  problem.max_chunks = static_cast<int>(shape.chunks());
  problem.scale = 1.0F / std::sqrt(static_cast<float>(shape.width));
  problem.projections = static_cast<int>(inputs.projections());
  return problem;
}

inline AttentionDropout dropout_of(const AttentionInputs& inputs) {
  AttentionDropout dropout;
  dropout.active = inputs.dropout.active();
  if (!dropout.active) return dropout;
  dropout.threshold = inputs.dropout.threshold();
  dropout.site = inputs.dropout.site;
  dropout.scale = static_cast<float>(inputs.dropout.scale());
  dropout.seed = inputs.dropout.seed;
  dropout.samples = inputs.keys.samples.data<std::int64_t>();
  return dropout;
}

template <class T>
const T* optional(const Tensor& x) {
  return x.empty() ? nullptr : x.data<T>();
}

/// Forward over the rows, without landmarks.
template <class T>
AttendRows<T> attend_rows_of(const AttentionProblem& problem, const AttentionInputs& inputs,
                             const Tensor& row_stats) {
  AttendRows<T> rows{};
  rows.problem = problem;
  rows.qkv = inputs.qkv.data<T>();
  rows.filter = optional<float>(inputs.conv_weight);
  rows.dropout = dropout_of(inputs);
  rows.row_stats = row_stats.data<float>();
  rows.out = inputs.out.data<T>();
  return rows;
}

/// What both passes of backward share.
template <class T>
GradientPass<T> gradient_pass(const CudaAttentionShape& shape, const AttentionProblem& problem,
                              const CudaAttentionWorkspace& workspace, const AttentionInputs& inputs,
                              const Tensor& row_stats, const AttentionGradients& gradients) {
  return {.problem = problem,
          .qkv = inputs.qkv.data<T>(),
          .d_out = gradients.d_out.data<T>(),
          .filter = optional<float>(inputs.conv_weight),
          .row_stats = row_stats.data<float>(),
          .dropout = dropout_of(inputs),
          .d_qkv = gradients.d_qkv.data<T>(),
          .deltas = workspace.deltas,
          .deltas_stride = static_cast<int>(shape.longest_exact),
          .halos = {}};
}

/// Backward of the queries, without landmarks.
template <class T>
RowsGradient<T> rows_gradient_of(const GradientPass<T>& pass, const AttentionInputs& inputs) {
  RowsGradient<T> rows{};
  static_cast<GradientPass<T>&>(rows) = pass;
  rows.out = inputs.out.data<T>();
  return rows;
}

/// Backward of the keys, without landmarks.
template <class T>
KeysGradient<T> keys_gradient_of(const GradientPass<T>& pass) {
  KeysGradient<T> keys{};
  static_cast<GradientPass<T>&>(keys) = pass;
  return keys;
}

/// d_conv_weight, where there is a convolution.
template <class T>
void add_filter_gradient(CudaContext& context, const GradientPass<T>& pass,
                         const CudaAttentionWorkspace& workspace, const AttentionGradients& gradients) {
  if (pass.problem.taps == 0) return;
  filter_gradient(context, FilterGradient<T>{pass.problem, pass.qkv, pass.d_out, workspace.d_filter,
                                             gradients.d_conv_weight.data<float>(), pass.halos});
}

}  // namespace nystrom::cuda
