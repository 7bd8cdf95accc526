#pragma once
// Attention kind of the tests: the mean of the values, scaled by its own parameter. What a new kind
// takes is in this file: a layer and a row of the registry.

#include <algorithm>
#include <memory>

#include "kernels/fill.h"
#include "model/attention/registry.h"

namespace nystrom::testing {

/// out_i = s * mean of v over the sequence's keys; s [C] is the parameter scale.weight. On the CPU only.
class MeanAttention final : public Attention {
 public:
  MeanAttention(const ModelConfig& config, ParameterStore& store, const AttentionPlace& place)
      : store_(store), channels_(config.hidden_size) {
    scale_ = store.add(place.prefix + "scale.weight", {channels_}, Init::kOne);
  }

  void plan(Planner& planner, const AttentionLimits& limits) override {
    means_ = planner.saved("attention.means", compute_dtype(store_.activation()), {limits.batch, channels_});
  }

  void forward(Context&, const AttentionStep& step) override {
    dispatch_float(step.qkv.dtype, [&]<class T>(T) {
      using C = Compute<T>;
      const C* const scale = store_.weight(scale_).data<C>();
      for_columns(step.sequences, [&](const Rows& rows, std::int64_t b, std::int64_t c) {
        C sum = 0;
        for (std::int64_t j = rows.begin; j < rows.begin + rows.keys; ++j) sum += value<T>(step.qkv, j, c);
        C& mean = means_.data<C>()[b * channels_ + c];
        mean = sum / static_cast<C>(rows.keys);
        for (std::int64_t i = rows.begin; i < rows.end; ++i)
          step.out.data<T>()[i * channels_ + c] = static_cast<T>(scale[c] * mean);
      });
    });
  }

  void backward(Context& context, const AttentionStep& step, const Tensor& d_out,
                const Tensor& d_qkv) override {
    fill_zero(context, d_qkv);
    dispatch_float(step.qkv.dtype, [&]<class T>(T) {
      using C = Compute<T>;
      const C* const scale = store_.weight(scale_).data<C>();
      C* const d_scale = store_.gradient(scale_).data<C>();
      for_columns(step.sequences, [&](const Rows& rows, std::int64_t b, std::int64_t c) {
        C sum = 0;
        for (std::int64_t i = rows.begin; i < rows.end; ++i)
          sum += static_cast<C>(d_out.data<T>()[i * channels_ + c]);
        d_scale[c] += sum * means_.data<C>()[b * channels_ + c];
        const C d_value = sum * scale[c] / static_cast<C>(rows.keys);
        for (std::int64_t j = rows.begin; j < rows.begin + rows.keys; ++j)
          d_qkv.data<T>()[j * 3 * channels_ + 2 * channels_ + c] = static_cast<T>(d_value);
      });
    });
  }

 private:
  struct Rows {
    std::int64_t begin, end, keys;
  };
  template <class T>
  [[nodiscard]] Compute<T> value(const Tensor& qkv, std::int64_t row, std::int64_t channel) const {
    return static_cast<Compute<T>>(qkv.data<T>()[row * 3 * channels_ + 2 * channels_ + channel]);
  }
  template <class Body>
  void for_columns(const Sequences& sequences, const Body& body) const {
    const auto* const offsets = sequences.offsets.data<std::int32_t>();
    const auto* const lengths = sequences.lengths.data<std::int32_t>();
    for (std::int64_t b = 0; b < sequences.count; ++b) {
      const Rows rows{offsets[b], offsets[b + 1], std::min(lengths[b], offsets[b + 1] - offsets[b])};
      for (std::int64_t c = 0; c < channels_; ++c) body(rows, b, c);
    }
  }

  ParameterStore& store_;
  std::int64_t channels_;
  ParameterId scale_ = 0;
  Tensor means_;  // [B, C] compute dtype
};

/// Registers kind `mean`, once a process.
inline void register_mean_attention() {
  if (find_attention("mean") != nullptr) return;
  register_attention(
      {.name = "mean",
       .has_probability_dropout = false,
       .check =
           [](const ModelConfig& config) {
             if (config.attention.taps != 0)
               refuse("`model.attention.convolution` is {}; kind mean has none: set it to 0.",
                      config.attention.taps);
           },
       .make = [](const ModelConfig& config, ParameterStore& store, const AttentionPlace& place)
           -> std::unique_ptr<Attention> { return std::make_unique<MeanAttention>(config, store, place); },
       .plan_workspace = [](Planner&, const ModelConfig&, DType, const AttentionLimits&) { return Tensor(); },
       .describe = [](const AttentionConfig&) { return std::string("the mean of the values"); },
       .reference = "tests",
       .segment_means_length = [](const AttentionConfig& config, std::int64_t) { return config.landmarks; }});
}

}  // namespace nystrom::testing
