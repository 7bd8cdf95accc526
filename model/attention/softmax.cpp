// Kind softmax: exact attention over all pairs of tokens.

#include "kernels/attention/softmax.h"

#include "model/attention/conv_skip.h"
#include "model/attention/kinds.h"

namespace nystrom {
namespace {

class SoftmaxLayer final : public Attention {
 public:
  SoftmaxLayer(const ModelConfig& config, ParameterStore& store, const AttentionPlace& place)
      : config_(config),
        activation_(store.activation()),
        place_(place),
        conv_(config.attention, store, place) {}

  void plan(Planner& planner, const AttentionLimits& limits) override {
    row_stats_ = plan_softmax_attention_stats(planner, activation_, limits);
  }
  void forward(Context& context, const AttentionStep& step) override {
    softmax_attention_forward(context, arguments(step));
  }
  void backward(Context& context, const AttentionStep& step, const Tensor& d_out,
                const Tensor& d_qkv) override {
    softmax_attention_backward(context, arguments(step), conv_.gradients(d_out, d_qkv));
  }

 private:
  [[nodiscard]] SoftmaxAttention arguments(const AttentionStep& step) const {
    SoftmaxAttention args{conv_.inputs(step), row_stats_};
    args.inputs.dropout = step.pass.dropout(config_.attention_dropout, place_.dropout_site);
    return args;
  }

  const ModelConfig& config_;
  DType activation_;
  AttentionPlace place_;
  ConvSkip conv_;
  Tensor row_stats_;
};

std::unique_ptr<Attention> make(const ModelConfig& config, ParameterStore& store,
                                const AttentionPlace& place) {
  return std::make_unique<SoftmaxLayer>(config, store, place);
}

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
    .make = make,
    .plan_workspace = plan_workspace,
    .describe = describe,
    .cut_rows = cut_rows,
    .reference = "Vaswani et al., NeurIPS 2017, arXiv 1706.03762"};

}  // namespace nystrom
