#pragma once
// Depthwise convolution of the values, added to the context: the parameter conv.weight of kinds that have it.

#include "model/attention/attention.h"

namespace nystrom {

class ConvSkip {
 public:
  /// Declares conv.weight [H, 1, K, 1] unless the configuration has no convolution.
  ConvSkip(const AttentionConfig& config, ParameterStore& store, const AttentionPlace& place)
      : store_(store), heads_(config.heads), taps_(config.taps) {
    if (taps_ > 0) weight_ = store.add(place.prefix + "conv.weight", {heads_, 1, taps_, 1}, Init::kWeight);
  }

  /// [H, K]; empty without a convolution.
  [[nodiscard]] Tensor weight() const {
    return taps_ == 0 ? Tensor{} : store_.weight(weight_).reshaped({heads_, taps_});
  }
  [[nodiscard]] Tensor gradient() const {
    return taps_ == 0 ? Tensor{} : store_.gradient(weight_).reshaped({heads_, taps_});
  }

  /// The ops' inputs of a step: without dropout.
  [[nodiscard]] AttentionInputs inputs(const AttentionStep& step) const {
    return {.heads = heads_,
            .sequences = step.sequences,
            .qkv = step.qkv,
            .conv_weight = weight(),
            .dropout = {},
            .keys = step.keys,
            .workspace = step.workspace,
            .out = step.out,
            .spans = step.spans};
  }
  [[nodiscard]] AttentionGradients gradients(const Tensor& d_out, const Tensor& d_qkv) const {
    return {.d_out = d_out, .d_qkv = d_qkv, .d_conv_weight = gradient()};
  }

 private:
  ParameterStore& store_;
  std::int64_t heads_, taps_;
  ParameterId weight_ = 0;
};

}  // namespace nystrom
