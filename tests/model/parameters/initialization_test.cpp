// What the weights of a new network are drawn from.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string_view>

#include "model/network.h"

namespace nystrom {
namespace {

ModelConfig model_of(Initialization initialization) {
  ModelConfig model;
  model.vocabulary_size = 300;
  model.hidden_size = 64;
  model.layers = 2;
  model.intermediate_size = 128;
  model.max_positions = 100;
  model.pad_token_id = 0;
  model.attention = {.kind = "nystrom", .heads = 4, .taps = 35};
  model.initializer_range = 0.02;
  model.initialization = initialization;
  return model;
}

enum class Group { kTable, kNorm, kLayer, kConvolution, kDecoderBias };

/// By name alone.
Group group_of(std::string_view name) {
  if (name.find("LayerNorm") != name.npos) return Group::kNorm;
  if (name.find("_embeddings.") != name.npos) return Group::kTable;
  if (name.ends_with("conv.weight")) return Group::kConvolution;
  return name == "cls.predictions.bias" ? Group::kDecoderBias : Group::kLayer;
}

/// Inputs of an output of the layer that `name` is the weight or bias of.
double inputs_of(std::string_view name) {
  if (group_of(name) == Group::kConvolution) return 35;
  const bool behind_the_wide_layer =
      name.find(".output.dense") != name.npos && name.find("attention") == name.npos;
  return behind_the_wide_layer ? 128 : 64;
}

struct Moments {
  double mean = 0, variance = 0, largest = 0;
};

Moments moments_of(std::span<const float> values) {
  Moments m;
  const auto count = static_cast<double>(values.size());
  for (const float v : values) {
    m.mean += v / count;
    m.variance += double{v} * v / count;
    m.largest = std::max(m.largest, std::abs(double{v}));
  }
  m.variance -= m.mean * m.mean;
  return m;
}

/// Calls check(name, moments, count) for every tensor.
template <class Check>
void for_each_tensor(Initialization initialization, HeadKind head, const Check& check) {
  Network network(model_of(initialization), head, DType::kF32, true);
  network.initialize(7);
  for (ParameterId id = 0; id < network.parameters().count(); ++id) {
    SCOPED_TRACE(network.parameters()[id].name);
    const Tensor weight = network.parameters().weight(id);
    check(network.parameters()[id].name, moments_of(weight.span<float>()),
          static_cast<double>(weight.numel()));
  }
}

void expect_constant(const Moments& m, double value) {
  EXPECT_EQ(m.largest, value);
  EXPECT_NEAR(m.variance, 0, 1e-12);
}

void expect_normal(const Moments& m, double count) {
  EXPECT_NEAR(m.variance / (0.02 * 0.02), 1, 6 * std::sqrt(2 / count));
  EXPECT_NEAR(m.mean, 0, 5 * 0.02 / std::sqrt(count));
  EXPECT_LT(m.largest, 0.12);
}

TEST(Initialization, torch_draws_layers_uniformly_by_their_inputs_and_tables_as_ever) {
  for (const HeadKind head : {HeadKind::kPretraining, HeadKind::kSequenceClassification})
    for_each_tensor(Initialization::kTorch, head, [](std::string_view name, const Moments& m, double count) {
      const Group group = group_of(name);
      if (group == Group::kNorm) return expect_constant(m, name.ends_with("weight") ? 1 : 0);
      if (group == Group::kDecoderBias) return expect_constant(m, 0);
      if (group == Group::kTable) return expect_normal(m, count);
      const double bound = 1 / std::sqrt(inputs_of(name));
      EXPECT_LE(m.largest, bound);
      EXPECT_GT(m.largest, bound * std::pow(1e-6, 1 / count));  // one in a million
      EXPECT_NEAR(m.variance * 3 / (bound * bound), 1, 5 / std::sqrt(count));
      EXPECT_NEAR(m.mean, 0, 5 * bound / std::sqrt(3 * count));
    });
}

TEST(Initialization, normal_draws_weights_normally_and_leaves_biases_zero) {
  for_each_tensor(Initialization::kNormal, HeadKind::kPretraining,
                  [](std::string_view name, const Moments& m, double count) {
                    if (group_of(name) == Group::kNorm && name.ends_with("weight"))
                      return expect_constant(m, 1);
                    if (name.ends_with("bias")) return expect_constant(m, 0);
                    expect_normal(m, count);
                  });
}

// Tables are drawn by their place and the seed, so both begin with the same.
TEST(Initialization, tables_begin_alike_and_layers_do_not) {
  Network normal(model_of(Initialization::kNormal), HeadKind::kMaskedLm, DType::kF32, true);
  Network torch(model_of(Initialization::kTorch), HeadKind::kMaskedLm, DType::kF32, true);
  Network again(model_of(Initialization::kTorch), HeadKind::kMaskedLm, DType::kF32, true);
  normal.initialize(3);
  torch.initialize(3);
  again.initialize(3);
  for (ParameterId id = 0; id < torch.parameters().count(); ++id) {
    const auto of = [id](Network& network) { return network.parameters().weight(id).span<float>(); };
    const std::string& name = torch.parameters()[id].name;
    EXPECT_TRUE(std::ranges::equal(of(torch), of(again))) << name;
    const Group group = group_of(name);
    EXPECT_EQ(std::ranges::equal(of(torch), of(normal)),
              group != Group::kLayer && group != Group::kConvolution)
        << name;
  }
}

}  // namespace
}  // namespace nystrom
