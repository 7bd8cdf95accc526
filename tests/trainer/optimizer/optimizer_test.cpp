#include "trainer/optimizer/optimizer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace nystrom {
namespace {

struct Parameters {
  Parameters() {
    matrix = store.add("matrix", {2, 3}, Init::kOne);
    vector = store.add("vector", {3}, Init::kOne);
    store.allocate(true);
    store.initialize(1, 0.02, store.count(), 0);
  }
  ParameterStore store{DType::kF32};
  ParameterId matrix = 0, vector = 0;
  Context context{1};
};

TEST(Optimizer, only_tensors_of_two_dimensions_are_decayed) {
  Parameters p;
  const auto optimizer = make_optimizer({.learning_rate = 0.1, .weight_decay = 0.5}, p.store);
  optimizer->step(p.context, {}, 1.0);  // no gradient: decay alone
  for (const float w : p.store.weight(p.matrix).span<float>()) EXPECT_FLOAT_EQ(w, 1 - 0.1F * 0.5F);
  for (const float w : p.store.weight(p.vector).span<float>()) EXPECT_EQ(w, 1.0F);
}

TEST(Optimizer, the_first_update_is_the_rate_whatever_the_gradients_size) {
  Parameters p;
  for (float& g : p.store.gradient(p.vector).span<float>()) g = 40;
  const auto optimizer = make_optimizer({.learning_rate = 0.01, .weight_decay = 0}, p.store);
  optimizer->step(p.context, {}, 0.5);
  for (const float w : p.store.weight(p.vector).span<float>()) EXPECT_NEAR(w, 1 - 0.01F, 1e-6);
  EXPECT_EQ(optimizer->updates(), 1);
  const float m =
      optimizer->states()[0].values.span<float>()[static_cast<std::size_t>(p.store[p.vector].offset)];
  EXPECT_FLOAT_EQ(m, 0.1F * 20);  // of the gradient after clipping
}

TEST(Optimizer, has_the_states_of_its_row_as_large_as_the_row_says) {
  for (const OptimizerKind& kind : optimizer_kinds()) {
    Parameters p;
    const OptimizerOptions options{.kind = std::string(kind.name)};
    const auto optimizer = make_optimizer(options, p.store);
    std::size_t bytes = 0;
    std::vector<std::string_view> names;
    for (const OptimizerState& state : optimizer->states()) {
      bytes += state.values.bytes();
      names.push_back(state.name);
    }
    EXPECT_TRUE(std::ranges::equal(names, kind.states, {}, {}, &OptimizerKind::State::name)) << kind.name;
    const std::size_t scratch = kind.scratch_bytes == nullptr ? 0 : kind.scratch_bytes(p.store);
    EXPECT_EQ(bytes + scratch, optimizer_bytes(options, p.store, 1)) << kind.name;
    EXPECT_EQ(bytes, optimizer_state_bytes(options, p.store)) << kind.name;
    EXPECT_EQ(state_bytes(options, p.store, 1), 2 * p.store.weights().bytes() + bytes + scratch);
  }
}

/// Four matrices of a block, and an embedding as large as they.
struct PartedTensors {
  PartedTensors() {
    (void)store.add("nystromformer.embeddings.word_embeddings.weight", {128, 64}, Init::kNormal);
    for (const char* name : {"0.a", "0.b", "1.a", "1.b"})
      (void)store.add(std::string("nystromformer.encoder.layer.") + name, {32, 64}, Init::kNormal);
    store.allocate(true);
  }
  ParameterStore store{DType::kF32};
};

TEST(Optimizer, the_memory_plan_counts_its_states_of_the_parameters_that_have_them) {
  const PartedTensors parted;
  const std::size_t weights = parted.store.weights().bytes();
  EXPECT_EQ(optimizer_bytes({}, parted.store, 1), 2 * weights);
  EXPECT_EQ(optimizer_bytes({}, parted.store, 2), weights);
  EXPECT_EQ(optimizer_bytes({.ema_decay = 0.9}, parted.store, 2), weights + weights / 2);
  const OptimizerOptions muon{.kind = "muon"};
  const std::size_t scratch = find_optimizer("muon").scratch_bytes(parted.store);
  EXPECT_EQ(optimizer_bytes(muon, parted.store, 1) - scratch, 2 * weights / 2 + weights / 2);
  EXPECT_EQ(optimizer_bytes(muon, parted.store, 2) - scratch, weights) << "the rank with the embeddings";
}

TEST(Optimizer, the_norm_is_of_all_gradients_together) {
  Parameters p;
  p.store.gradient(p.matrix).span<float>()[0] = 3;
  p.store.gradient(p.vector).span<float>()[2] = -4;
  const GradientNorm norm = gradient_norm(p.context, p.store);
  EXPECT_DOUBLE_EQ(norm.norm, 5);
  EXPECT_EQ(norm.bad, p.store.count());
}

TEST(Optimizer, a_gradient_that_is_not_finite_is_named) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    Parameters p;
    p.store.gradient(p.matrix).span<float>()[5] = bad;
    EXPECT_EQ(gradient_norm(p.context, p.store).bad, p.matrix);
  }
}

TEST(Optimizer, clipping_is_pytorchs) {
  EXPECT_DOUBLE_EQ(clip_scale(4, 1), 1 / (4 + 1e-6));
  EXPECT_DOUBLE_EQ(clip_scale(0.5, 1), 1);
  EXPECT_DOUBLE_EQ(clip_scale(100, 0), 1);
}

TEST(Optimizer, bad_options_are_refused) {
  Parameters p;
  EXPECT_THROW((void)make_optimizer({.kind = "sgdd"}, p.store), InputError);
  EXPECT_THROW((void)make_optimizer({.beta2 = 1.0}, p.store), InputError);
  EXPECT_THROW((void)make_optimizer({.learning_rate = -1}, p.store), InputError);
  EXPECT_THROW((void)make_optimizer({.epsilon = 0}, p.store), InputError);
}

}  // namespace
}  // namespace nystrom
