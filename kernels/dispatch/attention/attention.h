#pragma once
// Checks and costs that the attention ops share.

#include <algorithm>

#include "kernels/attention/attention.h"

namespace nystrom {

/// Throws InternalError for shapes that do not fit each other, or another number of projections.
void check_attention(const AttentionInputs& inputs, std::int64_t projections = 3);
/// Throws InternalError where a GPU is given sequences on several ranks.
void check_spans(const Context& context, const AttentionInputs& inputs);
/// Throws InternalError where a kind without probabilities is given dropout of them.
void check_no_dropout(std::string_view kind, const AttentionInputs& inputs);
/// Refuses heads and dtypes that the kernels of a GPU have no room for.
void check_gpu_attention(DType activation, const AttentionLimits& limits);

/// Books the workspace of a kind: cuda_elements() or cpu_elements() of the compute dtype.
template <class CudaElements, class CpuElements>
Tensor plan_attention_workspace(Planner& planner, DType activation, const AttentionLimits& limits,
                                const CudaElements& cuda_elements, const CpuElements& cpu_elements) {
  if (limits.cuda) check_gpu_attention(activation, limits);
  const std::int64_t elements = limits.cuda ? cuda_elements() : cpu_elements();
  return planner.scratch("attention.workspace", compute_dtype(activation), {elements});
}
/// Books the maximum and 1 / sum of each query's softmax: [T, H, 2] compute dtype.
Tensor plan_row_stats(Planner& planner, DType activation, const AttentionLimits& limits);

/// Bytes of qkv and out, and in backward of their gradients.
double forward_bytes(const AttentionInputs& inputs);
double backward_bytes(const AttentionInputs& inputs, const AttentionGradients& gradients);

/// Sum of head_flops(rows, keys) over all heads of all sequences. Only the GPU knows how long the sequences
/// there are: they are taken to be equally long.
template <class HeadFlops>
double attention_flops(const Context& context, const AttentionInputs& inputs, const HeadFlops& head_flops) {
  const Sequences& sequences = inputs.sequences;
  double sum = 0;
  if (context.cuda() != nullptr) {
    const std::int64_t rows = sequences.count == 0 ? 0 : sequences.tokens / sequences.count;
    sum = static_cast<double>(sequences.count) * head_flops(rows, rows);
  } else {
    const auto* const offsets = sequences.offsets.data<std::int32_t>();
    const auto* const lengths = sequences.lengths.data<std::int32_t>();
    for (std::int64_t b = 0; b < sequences.count; ++b) {
      const std::int64_t rows = offsets[b + 1] - offsets[b];
      sum += head_flops(rows, std::min<std::int64_t>(rows, lengths[b]));
    }
  }
  return sum * static_cast<double>(inputs.heads);
}

/// Flops of one head with exact softmax: `products` of n x keys x D products, `convolutions` of n x K x D.
struct ExactCost {
  double products, convolutions;

  [[nodiscard]] double of(const AttentionInputs& inputs, std::int64_t rows, std::int64_t keys) const {
    const auto n = static_cast<double>(rows), d = static_cast<double>(inputs.width());
    return 2 * (convolutions * n * static_cast<double>(inputs.taps()) * d +
                products * n * static_cast<double>(keys) * d);
  }
};

/// Flops of a kind whose every token has as many products: `columns` of ExactCost's keys.
inline double column_flops(const Context& context, const AttentionInputs& inputs, const ExactCost& cost,
                           std::int64_t columns) {
  return attention_flops(context, inputs,
                         [&](std::int64_t rows, std::int64_t) { return cost.of(inputs, rows, columns); });
}

}  // namespace nystrom
