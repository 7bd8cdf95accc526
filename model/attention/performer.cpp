// Kind performer: softmax attention by random features, FAVOR+.

#include "kernels/attention/performer.h"

#include <fmt/format.h>

#include <optional>

#include "model/attention/conv_skip.h"
#include "model/attention/kinds.h"
#include "model/attention/random.h"

namespace nystrom {
namespace {

class PerformerLayer final : public Attention {
 public:
  PerformerLayer(const ModelConfig& config, ParameterStore& store, const AttentionPlace& place)
      : redraw_every_(config.attention.redraw_every),
        activation_(store.activation()),
        shape_{place.layer, config.attention.heads, config.attention.features, config.head_size()},
        conv_(config.attention, store, place) {}

  void plan_kept(Planner& planner, const AttentionLimits& /*limits*/) override {
    features_ = planner.saved("attention.features", compute_dtype(activation_),
                              {shape_.heads, shape_.features, shape_.width});
    there_.reset();
  }
  void prepare(Context& context, const Pass& pass) override {
    const AttentionDraw wanted = given_.empty() ? draw_of(pass, redraw_every_) : AttentionDraw{};
    if (there_ == wanted) return;
    std::vector<float> values = given_;
    if (values.empty()) {
      values.resize(static_cast<std::size_t>(features_.numel()));
      draw_features(wanted, shape_, values);
    }
    write_values(context, values, features_);
    there_ = wanted;
  }
  void use(const GivenRandom& given) override {
    given_.assign(given.features.begin(), given.features.end());
    NYSTROM_CHECK(std::ssize(given_) == shape_.heads * shape_.features * shape_.width,
                  "{} values are given for {} features of {} heads", given_.size(), shape_.features,
                  shape_.heads);
    there_.reset();
  }
  void plan(Planner& planner, const AttentionLimits& limits) override {
    saved_ = PerformerSaved::plan(planner, shape_.features, activation_, limits);
  }
  void forward(Context& context, const AttentionStep& step) override {
    performer_attention_forward(context, {conv_.inputs(step), features_, saved_});
  }
  void backward(Context& context, const AttentionStep& step, const Tensor& d_out,
                const Tensor& d_qkv) override {
    performer_attention_backward(context, {conv_.inputs(step), features_, saved_},
                                 conv_.gradients(d_out, d_qkv));
  }

 private:
  std::int64_t redraw_every_;
  DType activation_;
  FeatureShape shape_;
  ConvSkip conv_;
  Tensor features_;                     // [H, m, D] compute dtype
  std::optional<AttentionDraw> there_;  // what features_ holds
  std::vector<float> given_;            // [H, m, D]; empty: drawn
  PerformerSaved saved_;
};

std::string describe(const AttentionConfig& config) {
  return fmt::format("performer attention with {} random features", config.features);
}

std::string details(const AttentionConfig& config) {
  return config.redraw_every == 0 ? "" : fmt::format("redrawn every {} steps", config.redraw_every);
}

DrawnTensor draw(const ModelConfig& config, std::int64_t layer) {
  const FeatureShape shape{layer, config.attention.heads, config.attention.features, config.head_size()};
  DrawnTensor features{{shape.heads, shape.features, shape.width}, {}};
  features.values.resize(static_cast<std::size_t>(features.shape.numel()));
  draw_features({}, shape, features.values);
  return features;
}

constexpr std::string_view kOptions[] = {"features", "redraw_every"};

}  // namespace

constinit const AttentionEntry kPerformerAttention{
    .name = "performer",
    .has_probability_dropout = false,
    .options = kOptions,
    .make = [](const ModelConfig& config, ParameterStore& store, const AttentionPlace& place)
        -> std::unique_ptr<Attention> { return std::make_unique<PerformerLayer>(config, store, place); },
    .plan_workspace =
        [](Planner& planner, const ModelConfig& config, DType activation, const AttentionLimits& limits) {
          return plan_performer_attention_workspace(planner, config.attention.features, activation, limits);
        },
    .describe = describe,
    .details = details,
    .drawn_name = "features",
    .draw = draw,
    .reference = "Choromanski et al., ICLR 2021, arXiv 2009.14794"};

}  // namespace nystrom
