// Kind linformer: softmax attention to projections of keys and values.

#include "kernels/attention/linformer.h"

#include <fmt/format.h>

#include "model/attention/conv_skip.h"
#include "model/attention/kinds.h"

namespace nystrom {
namespace {

class LinformerLayer final : public Attention {
 public:
  LinformerLayer(const ModelConfig& config, ParameterStore& store, const AttentionPlace& place)
      : store_(store),
        rows_(config.attention.projection),
        has_value_(config.attention.projection_sharing == ProjectionSharing::kNone),
        conv_(config.attention, store, place) {
    const Shape shape{config.attention.heads, rows_, config.max_positions};
    key_ = store.add(place.prefix + "projection_key", shape, Init::kProjection);
    if (has_value_) value_ = store.add(place.prefix + "projection_value", shape, Init::kProjection);
  }

  void plan(Planner& planner, const AttentionLimits& limits) override {
    saved_ = LinformerSaved::plan(planner, rows_, store_.activation(), limits);
  }
  void forward(Context& context, const AttentionStep& step) override {
    linformer_attention_forward(context, arguments(step));
  }
  void backward(Context& context, const AttentionStep& step, const Tensor& d_out,
                const Tensor& d_qkv) override {
    linformer_attention_backward(
        context, arguments(step), conv_.gradients(d_out, d_qkv),
        {.d_key = store_.gradient(key_), .d_value = has_value_ ? store_.gradient(value_) : Tensor{}});
  }

 private:
  [[nodiscard]] LinformerAttention arguments(const AttentionStep& step) const {
    return {.inputs = conv_.inputs(step),
            .positions = step.positions,
            .projection_key = store_.weight(key_),
            .projection_value = has_value_ ? store_.weight(value_) : Tensor{},
            .saved = saved_};
  }

  ParameterStore& store_;
  std::int64_t rows_;
  bool has_value_;
  ConvSkip conv_;
  ParameterId key_ = 0, value_ = 0;
  LinformerSaved saved_;
};

std::string describe(const AttentionConfig& config) {
  return fmt::format("linformer attention to projections of {} rows", config.projection);
}

std::string details(const AttentionConfig& config) {
  return config.projection_sharing == ProjectionSharing::kKv ? "one projection of keys and values" : "";
}

std::vector<std::string> warnings(const AttentionConfig& config, std::int64_t length) {
  if (config.projection < length) return {};
  return {fmt::format(
      "`model.attention.projection` ({}) is not below `data.sequence_length` ({}): linformer attention costs "
      "more than softmax attention here.",
      config.projection, length)};
}

constexpr std::string_view kOptions[] = {"projection", "projection_sharing"};

}  // namespace

constinit const AttentionEntry kLinformerAttention{
    .name = "linformer",
    .has_probability_dropout = false,
    .options = kOptions,
    .make = [](const ModelConfig& config, ParameterStore& store, const AttentionPlace& place)
        -> std::unique_ptr<Attention> { return std::make_unique<LinformerLayer>(config, store, place); },
    .plan_workspace =
        [](Planner& planner, const ModelConfig& config, DType activation, const AttentionLimits& limits) {
          return plan_linformer_attention_workspace(planner, config.attention.projection, activation, limits);
        },
    .describe = describe,
    .details = details,
    .reference = "Wang et al., arXiv 2006.04768",
    .warnings = warnings};

}  // namespace nystrom
