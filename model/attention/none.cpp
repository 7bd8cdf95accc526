// Kind none: the values themselves, for ablations.

#include "kernels/attention/value.h"
#include "model/attention/conv_skip.h"
#include "model/attention/kinds.h"

namespace nystrom {
namespace {

class NoAttentionLayer final : public Attention {
 public:
  NoAttentionLayer(const ModelConfig& config, ParameterStore& store, const AttentionPlace& place)
      : conv_(config.attention, store, place) {}

  void plan(Planner& /*planner*/, const AttentionLimits& /*limits*/) override {}
  void forward(Context& context, const AttentionStep& step) override {
    value_attention_forward(context, conv_.inputs(step));
  }
  void backward(Context& context, const AttentionStep& step, const Tensor& d_out,
                const Tensor& d_qkv) override {
    value_attention_backward(context, conv_.inputs(step), conv_.gradients(d_out, d_qkv));
  }

 private:
  ConvSkip conv_;
};

constexpr std::string_view kProjections[] = {"value"};

}  // namespace

constinit const AttentionEntry kNoAttention{
    .name = "none",
    .has_probability_dropout = false,
    .projections = kProjections,
    .make = [](const ModelConfig& config, ParameterStore& store, const AttentionPlace& place)
        -> std::unique_ptr<Attention> { return std::make_unique<NoAttentionLayer>(config, store, place); },
    .plan_workspace =
        [](Planner& planner, const ModelConfig&, DType activation, const AttentionLimits& limits) {
          return plan_value_attention_workspace(planner, activation, limits);
        },
    .describe = [](const AttentionConfig&) { return std::string("no attention: the values themselves"); },
    .reference = "an ablation"};

}  // namespace nystrom
