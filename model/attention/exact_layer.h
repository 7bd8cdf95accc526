#pragma once
// Layer of a kind that is softmax attention, over all pairs of tokens or some: no parameters but the
// convolution's, dropout of probabilities, and each query's maximum and sum kept for backward.

#include <memory>

#include "model/attention/conv_skip.h"

namespace nystrom {

/// `Op` names the kind's op: plan_stats(planner, activation, limits), forward(context, args),
/// backward(context, args, gradients), and arguments(config, inputs, row_stats), which makes their args.
template <class Op>
class ExactLayer final : public Attention {
 public:
  ExactLayer(const ModelConfig& config, ParameterStore& store, const AttentionPlace& place)
      : config_(config),
        activation_(store.activation()),
        place_(place),
        conv_(config.attention, store, place) {}

  static std::unique_ptr<Attention> make(const ModelConfig& config, ParameterStore& store,
                                         const AttentionPlace& place) {
    return std::make_unique<ExactLayer>(config, store, place);
  }

  void plan(Planner& planner, const AttentionLimits& limits) override {
    row_stats_ = Op::plan_stats(planner, activation_, limits);
  }
  void forward(Context& context, const AttentionStep& step) override {
    Op::forward(context, arguments(step));
  }
  void backward(Context& context, const AttentionStep& step, const Tensor& d_out,
                const Tensor& d_qkv) override {
    Op::backward(context, arguments(step), conv_.gradients(d_out, d_qkv));
  }

 private:
  [[nodiscard]] auto arguments(const AttentionStep& step) const {
    AttentionInputs inputs = conv_.inputs(step);
    inputs.dropout = step.pass.dropout(config_.attention_dropout, place_.dropout_site);
    return Op::arguments(config_.attention, inputs, row_stats_);
  }

  const ModelConfig& config_;
  DType activation_;
  AttentionPlace place_;
  ConvSkip conv_;
  Tensor row_stats_;
};

}  // namespace nystrom
