// What must not change a result: neighbours, micro-batches, recomputation, the network's other plans.

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstring>
#include <vector>

#include "model/attention/registry.h"
#include "small_network.h"

namespace nystrom {
namespace {

using testing::small_model;
using testing::SmallNetwork;
using testing::TextBatch;
using Lengths = std::vector<std::int32_t>;

std::vector<double> states_of(SmallNetwork& small, const TextBatch& text, std::int64_t sequence) {
  small.upload(text);
  const Tensor& hidden = small.network.forward(small.context, small.batch, small.pass, small.scales);
  const auto at = static_cast<std::size_t>(sequence);
  const Tensor rows = hidden.rows(text.offsets[at], text.offsets[at + 1] - text.offsets[at]);
  return dispatch_float(rows.dtype, [&]<class T>(T) {
    std::vector<double> values;
    for (const T value : rows.span<T>()) values.push_back(static_cast<double>(value));
    return values;
  });
}

template <class T>
std::vector<T> copy_of(const Tensor& tensor) {
  const auto values = tensor.span<T>();
  return {values.begin(), values.end()};
}

TextBatch with_other_neighbours(const Lengths& lengths, std::size_t kept) {
  TextBatch text(lengths, 0);
  for (std::size_t s = 0; s < lengths.size(); ++s)
    for (std::int32_t t = text.offsets[s]; s != kept && t < text.offsets[s + 1]; ++t) {
      auto& id = text.ids[static_cast<std::size_t>(t)];
      id = 2 + (id + 5) % 21;
    }
  return text;
}

/// A model of each kind of attention that this program has.
std::vector<ModelConfig> models_of_all_kinds() {
  std::vector<ModelConfig> models;
  for (const AttentionEntry& kind : attention_registry()) {
    ModelConfig config = small_model();
    config.attention.kind = kind.name;
    config.attention.window = 4;
    config.attention.projection = 3;
    config.attention.features = 6;
    config.attention.chunk = 3;
    if (find_attention("mean") != &kind) models.push_back(config);
  }
  return models;
}

TEST(Network, neighbours_of_a_sequence_change_no_bit_of_it) {
  for (const ModelConfig& config : models_of_all_kinds()) {
    SmallNetwork small(config, DType::kF32);
    const Lengths lengths{9, 12, 2};
    EXPECT_EQ(states_of(small, TextBatch(lengths, 0), 1),
              states_of(small, with_other_neighbours(lengths, 1), 1))
        << config.attention.kind;
  }
}

TEST(Network, with_one_scale_for_the_batch_neighbours_do_change_a_sequence) {
  ModelConfig config = small_model();
  config.attention.pinv_init = PinvInit::kBatchMax;
  SmallNetwork small(config, DType::kF32);
  const Lengths lengths{9, 12, 2};
  EXPECT_NE(states_of(small, TextBatch(lengths, 0), 1),
            states_of(small, with_other_neighbours(lengths, 1), 1));
}

TEST(Network, a_sequence_alone_is_what_it_is_in_a_batch) {
  SmallNetwork small(small_model());
  const auto together = states_of(small, TextBatch(Lengths{9, 12, 2}, 0), 1);
  const auto alone = states_of(small, TextBatch(Lengths{12}, 1), 0);
  ASSERT_EQ(together.size(), alone.size());
  for (std::size_t i = 0; i < alone.size(); ++i) EXPECT_NEAR(together[i], alone[i], 1e-11) << i;
}

struct Gradients {
  double loss = 0;
  std::vector<double> values;
};

/// Losses and gradients of four sequences, cut into micro-batches of `size`.
Gradients of_micro_batches(const ModelConfig& config, std::size_t size) {
  SmallNetwork small(config);
  const Lengths lengths{9, 12, 2, 5};
  small.network.parameters().zero_gradients(small.context);
  Gradients result;
  for (std::size_t first = 0; first < lengths.size(); first += size) {
    const auto last = std::min(first + size, lengths.size());
    const Lengths part(lengths.begin() + static_cast<std::ptrdiff_t>(first),
                       lengths.begin() + static_cast<std::ptrdiff_t>(last));
    const TextBatch text(part, static_cast<std::int64_t>(first));
    small.upload(text);
    result.loss += small.step();
  }
  result.values = copy_of<double>(small.network.parameters().gradients());
  return result;
}

TEST(Network, micro_batches_give_the_gradients_of_the_whole_batch_with_dropout_on) {
  ModelConfig softmax = small_model();
  softmax.attention.kind = "softmax";
  softmax.attention_dropout = 0.3;
  std::vector<ModelConfig> models = models_of_all_kinds();
  models.push_back(softmax);
  for (const ModelConfig& config : models) {
    const Gradients whole = of_micro_batches(config, 4);
    for (const std::size_t size : {1, 2, 3}) {
      const Gradients parts = of_micro_batches(config, size);
      EXPECT_NEAR(parts.loss, whole.loss, 1e-12 * std::abs(whole.loss)) << size;
      for (std::size_t i = 0; i < whole.values.size(); ++i)
        ASSERT_NEAR(parts.values[i], whole.values[i], 1e-11)
            << config.attention.kind << ", micro-batches of " << size << ", value " << i;
    }
  }
}

TEST(Network, recomputing_activations_changes_no_bit_and_takes_less_memory) {
  for (ModelConfig config : models_of_all_kinds()) {
    config.layers = 4;
    const TextBatch text(Lengths{9, 12, 2}, 0);
    std::array<std::vector<float>, 2> gradients;
    std::array<double, 2> losses{};
    std::array<std::size_t, 2> bytes{};
    for (const bool recompute : {false, true}) {
      SmallNetwork small(config, DType::kF32, recompute, HeadKind::kPretraining, 2);
      small.upload(text);
      small.network.parameters().zero_gradients(small.context);
      losses[recompute] = small.step();
      gradients[recompute] = copy_of<float>(small.network.parameters().gradients());
      bytes[recompute] = small.network.arena().bytes();
    }
    EXPECT_EQ(losses[0], losses[1]);
    EXPECT_EQ(std::memcmp(gradients[0].data(), gradients[1].data(), gradients[0].size() * sizeof(float)), 0);
    EXPECT_LT(bytes[1], bytes[0]);
  }
}

TEST(Network, the_same_step_gives_the_same_bits_twice) {
  SmallNetwork small(small_model(), DType::kF32);
  const TextBatch text(Lengths{9, 12, 2}, 0);
  small.upload(text);
  std::array<std::vector<float>, 2> gradients;
  for (auto& kept : gradients) {
    small.network.parameters().zero_gradients(small.context);
    (void)small.step();
    kept = copy_of<float>(small.network.parameters().gradients());
  }
  EXPECT_EQ(gradients[0], gradients[1]);
}

TEST(Network, gradients_that_are_announced_do_not_change_any_more) {
  SmallNetwork small(small_model());
  const TextBatch text(Lengths{9, 12, 2}, 0);
  small.upload(text);
  ParameterStore& store = small.network.parameters();
  store.zero_gradients(small.context);
  (void)small.loss();
  std::vector<std::pair<std::int64_t, std::vector<double>>> announced;
  small.network.backward(small.context, small.batch, small.pass, small.scales, [&](std::int64_t offset) {
    announced.emplace_back(offset, copy_of<double>(store.gradients()));
  });
  ASSERT_FALSE(announced.empty());
  EXPECT_EQ(announced.back().first, 0);
  const auto last = store.gradients().span<double>();
  std::int64_t before = store.flat_size();
  for (const auto& [offset, values] : announced) {
    EXPECT_LT(offset, before);
    before = offset;
    for (auto i = static_cast<std::size_t>(offset); i < values.size(); ++i)
      ASSERT_EQ(values[i], last[i]) << i;
  }
}

TEST(Network, planning_for_longer_batches_changes_no_bit) {
  SmallNetwork small(small_model(), DType::kF32);
  const TextBatch text(Lengths{9, 2}, 0);
  const auto before = states_of(small, text, 0);
  small.network.plan({.sequences = 9, .tokens = 100, .longest = 16, .labels = 80}, small.context.threads());
  EXPECT_EQ(states_of(small, text, 0), before);
}

TEST(Network, hashes_and_redrawn_features_are_a_function_of_seed_and_step) {
  for (const char* kind : {"reformer", "performer"}) {
    ModelConfig config = small_model();
    config.dropout = 0;
    config.attention.kind = kind;
    config.attention.chunk = 2;
    config.attention.redraw_every = 3;
    const TextBatch text(Lengths{13}, 0);
    const auto states_at = [&](SmallNetwork& small, const Pass& pass) {
      small.pass = pass;
      return states_of(small, text, 0);
    };
    SmallNetwork once(config, DType::kF32), resumed(config, DType::kF32);
    const auto sixth = states_at(once, {.training = true, .seed = 11, .step = 5});
    const auto later = states_at(once, {.training = true, .seed = 11, .step = 700});
    EXPECT_NE(sixth, later) << kind;
    EXPECT_NE(sixth, states_at(once, {.training = true, .seed = 12, .step = 5})) << kind;
    EXPECT_EQ(later, states_at(resumed, {.training = true, .seed = 11, .step = 700})) << kind;
    EXPECT_EQ(sixth, states_at(once, {.training = true, .seed = 11, .step = 5})) << kind;
    const auto evaluated = states_at(once, {});
    EXPECT_EQ(evaluated, states_at(once, {.training = false, .seed = 12, .step = 9})) << kind;
  }
}

TEST(Network, features_stay_unless_they_are_to_be_redrawn) {
  ModelConfig config = small_model();
  config.dropout = 0;
  config.attention.kind = "performer";
  SmallNetwork small(config, DType::kF32);
  const TextBatch text(Lengths{13}, 0);
  small.pass = {.training = true, .seed = 11, .step = 5};
  const auto trained = states_of(small, text, 0);
  small.pass = {};
  EXPECT_EQ(trained, states_of(small, text, 0));
  config.attention.redraw_every = 3;
  SmallNetwork redrawn(config, DType::kF32);
  redrawn.pass = {.training = true, .seed = 11, .step = 3};
  const auto fourth = states_of(redrawn, text, 0);
  EXPECT_NE(trained, fourth);
  redrawn.pass.step = 5;
  EXPECT_EQ(fourth, states_of(redrawn, text, 0));
}

TEST(Network, dropout_is_drawn_in_training_alone) {
  SmallNetwork small(small_model(), DType::kF32);
  const TextBatch text(Lengths{9}, 0);
  const auto dropped = states_of(small, text, 0);
  small.pass.seed = 12;
  EXPECT_NE(states_of(small, text, 0), dropped);
  small.pass.training = false;
  const auto plain = states_of(small, text, 0);
  small.pass.seed = 11;
  EXPECT_EQ(states_of(small, text, 0), plain);
}

}  // namespace
}  // namespace nystrom
