#pragma once
// Attention of queries to a few rows that stand for all keys, on the GPU:
//   out_i = sum_r softmax_r(scale q_i . k_r + bias_r) v_r + conv(v)_i
// Plain kernels (plain.h): neither run on a GPU nor tuned.

#include "kernels/cuda/attention/kinds/plain_launch.h"

namespace nystrom::cuda {

template <class T>
struct SummaryPass : PlainPass<T> {
  int count;          // R
  float scale;        // of the logits
  const float* keys;  // [items, R, D], or [H, R, D] where keys_of_head
  bool keys_of_head;
  const float* values;  // [items, R, D]
  const float* bias;    // [items, R], `bias_stride` numbers apart; null: none
  std::int64_t bias_stride;
  // Backward: each chunk's part of the gradients, `part_stride` numbers apart; null: not wanted.
  float *d_values, *d_keys;  // [R, D]
  float* d_bias;             // [R]
  std::int64_t part_stride;
};

/// out and row_stats.
template <class T>
void attend_summary(CudaContext& context, const SummaryPass<T>& pass, const AttentionInputs& inputs);
/// d_q, and the parts.
template <class T>
void attend_summary_backward(CudaContext& context, const SummaryPass<T>& pass, const AttentionInputs& inputs);

}  // namespace nystrom::cuda
