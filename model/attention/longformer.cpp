// Kind longformer: softmax attention within a sliding window.

#include "kernels/attention/longformer.h"

#include <fmt/format.h>

#include "model/attention/exact_layer.h"
#include "model/attention/kinds.h"

namespace nystrom {
namespace {

struct LongformerOp {
  static constexpr auto plan_stats = plan_longformer_attention_stats;
  static constexpr auto forward = longformer_attention_forward;
  static constexpr auto backward = longformer_attention_backward;
  static LongformerAttention arguments(const AttentionConfig& config, const AttentionInputs& inputs,
                                       const Tensor& row_stats) {
    return {config.window, config.global_tokens, inputs, row_stats};
  }
};

void check_options(const ModelConfig& config) {
  if (config.attention.window % 2 != 0)
    refuse("`model.attention.window` is {}; it must be even: half of it is before a token, half after.",
           config.attention.window);
}

std::string describe(const AttentionConfig& config) {
  return fmt::format("longformer attention with a window of {} tokens", config.window);
}

std::string details(const AttentionConfig& config) {
  return config.global_tokens == GlobalTokens::kFirst ? "the first token global" : "";
}

std::vector<std::string> warnings(const AttentionConfig& config, std::int64_t length) {
  if (config.window / 2 < length - 1) return {};
  return {fmt::format(
      "Half of `model.attention.window` ({}) reaches over all of `data.sequence_length` ({}): this is softmax "
      "attention.",
      config.window, length)};
}

constexpr std::string_view kOptions[] = {"window", "global_tokens"};

}  // namespace

constinit const AttentionEntry kLongformerAttention{
    .name = "longformer",
    .has_probability_dropout = true,
    .options = kOptions,
    .check = check_options,
    .make = ExactLayer<LongformerOp>::make,
    .plan_workspace =
        [](Planner& planner, const ModelConfig&, DType activation, const AttentionLimits& limits) {
          return plan_longformer_attention_workspace(planner, activation, limits);
        },
    .describe = describe,
    .details = details,
    .reference = "Beltagy et al., arXiv 2004.05150",
    .warnings = warnings};

}  // namespace nystrom
