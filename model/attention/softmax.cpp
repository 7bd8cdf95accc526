// Kind softmax: exact attention over all pairs of tokens.

#include "kernels/attention/softmax.h"

#include "model/attention/exact_layer.h"
#include "model/attention/kinds.h"

namespace nystrom {
namespace {

struct SoftmaxOp {
  static constexpr auto plan_stats = plan_softmax_attention_stats;
  static constexpr auto forward = softmax_attention_forward;
  static constexpr auto backward = softmax_attention_backward;
  static SoftmaxAttention arguments(const AttentionConfig&, const AttentionInputs& inputs,
                                    const Tensor& row_stats) {
    return {inputs, row_stats};
  }
};

Tensor plan_workspace(Planner& planner, const ModelConfig&, DType activation, const AttentionLimits& limits) {
  return plan_softmax_attention_workspace(planner, activation, limits);
}

std::int64_t cut_rows(const AttentionConfig&, std::int64_t rows, int) {
  return softmax_cut_rows(rows);
}

std::string describe(const AttentionConfig&) {
  return "exact softmax attention";
}

}  // namespace

constinit const AttentionEntry kSoftmaxAttention{
    .name = "softmax",
    .has_probability_dropout = true,
    .has_huggingface_padding = true,
    .is_of_transformers = true,
    .make = ExactLayer<SoftmaxOp>::make,
    .plan_workspace = plan_workspace,
    .describe = describe,
    .cut_rows = cut_rows,
    .reference = "Vaswani et al., NeurIPS 2017, arXiv 1706.03762"};

}  // namespace nystrom
