// Kind linear: linear attention.

#include "kernels/attention/linear.h"
#include "model/attention/conv_skip.h"
#include "model/attention/kinds.h"

namespace nystrom {
namespace {

class LinearLayer final : public Attention {
 public:
  LinearLayer(const ModelConfig& config, ParameterStore& store, const AttentionPlace& place)
      : activation_(store.activation()), conv_(config.attention, store, place) {}

  void plan(Planner& planner, const AttentionLimits& limits) override {
    state_ = plan_linear_attention_state(planner, activation_, limits);
  }
  void forward(Context& context, const AttentionStep& step) override {
    linear_attention_forward(context, {conv_.inputs(step), state_});
  }
  void backward(Context& context, const AttentionStep& step, const Tensor& d_out,
                const Tensor& d_qkv) override {
    linear_attention_backward(context, {conv_.inputs(step), state_}, conv_.gradients(d_out, d_qkv));
  }

 private:
  DType activation_;
  ConvSkip conv_;
  Tensor state_;
};

}  // namespace

constinit const AttentionEntry kLinearAttention{
    .name = "linear",
    .has_probability_dropout = false,
    .make = [](const ModelConfig& config, ParameterStore& store, const AttentionPlace& place)
        -> std::unique_ptr<Attention> { return std::make_unique<LinearLayer>(config, store, place); },
    .plan_workspace =
        [](Planner& planner, const ModelConfig&, DType activation, const AttentionLimits& limits) {
          return plan_linear_attention_workspace(planner, activation, limits);
        },
    .describe = [](const AttentionConfig&) { return std::string("linear attention"); },
    .reference = "Katharopoulos et al., ICML 2020, arXiv 2006.16236"};

}  // namespace nystrom
