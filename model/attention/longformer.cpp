// Kind longformer: softmax attention within a sliding window.

#include "kernels/attention/longformer.h"

#include <fmt/format.h>

#include "model/attention/conv_skip.h"
#include "model/attention/kinds.h"

namespace nystrom {
namespace {

class LongformerLayer final : public Attention {
 public:
  LongformerLayer(const ModelConfig& config, ParameterStore& store, const AttentionPlace& place)
      : config_(config),
        activation_(store.activation()),
        place_(place),
        conv_(config.attention, store, place) {}

  void plan(Planner& planner, const AttentionLimits& limits) override {
    row_stats_ = plan_longformer_attention_stats(planner, activation_, limits);
  }
  void forward(Context& context, const AttentionStep& step) override {
    longformer_attention_forward(context, arguments(step));
  }
  void backward(Context& context, const AttentionStep& step, const Tensor& d_out,
                const Tensor& d_qkv) override {
    longformer_attention_backward(context, arguments(step), conv_.gradients(d_out, d_qkv));
  }

 private:
  [[nodiscard]] LongformerAttention arguments(const AttentionStep& step) const {
    LongformerAttention args{.window = config_.attention.window,
                             .global_tokens = config_.attention.global_tokens,
                             .inputs = conv_.inputs(step),
                             .row_stats = row_stats_};
    args.inputs.dropout = step.pass.dropout(config_.attention_dropout, place_.dropout_site);
    return args;
  }

  const ModelConfig& config_;
  DType activation_;
  AttentionPlace place_;
  ConvSkip conv_;
  Tensor row_stats_;
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
    .make = [](const ModelConfig& config, ParameterStore& store, const AttentionPlace& place)
        -> std::unique_ptr<Attention> { return std::make_unique<LongformerLayer>(config, store, place); },
    .plan_workspace =
        [](Planner& planner, const ModelConfig&, DType activation, const AttentionLimits& limits) {
          return plan_longformer_attention_workspace(planner, activation, limits);
        },
    .describe = describe,
    .details = details,
    .reference = "Beltagy et al., arXiv 2004.05150",
    .warnings = warnings};

}  // namespace nystrom
