// Every optimizer, with its state whole and sharded, on any number of ranks; averaged weights.

#include <gtest/gtest.h>

#include <filesystem>

#include "ranks.h"
#include "temporary_folder.h"
#include "toy_run.h"
#include "trainer/checkpoint/checkpoint.h"
#include "trainer/guards/consistency.h"

namespace nystrom {
namespace {

using testing::ranks;
using testing::ToyRun;

testing::ToyOptions share() {
  return {.global_batch = 8, .micro_batch = 2, .rank = ranks().rank(), .ranks = ranks().ranks()};
}

class OptimizersOnRanks : public ::testing::TestWithParam<std::string_view> {
 protected:
  ~OptimizersOnRanks() override { ranks().barrier("a test"); }

  [[nodiscard]] TrainerOptions options(const std::string& name, bool zero) const {
    TrainerOptions options = testing::toy_trainer(6);
    options.optimizer.kind = GetParam();
    options.optimizer.learning_rate = GetParam() == "adamw" ? 2e-3 : 1e-2;
    options.optimizer.adamw_learning_rate = 2e-3;
    options.optimizer.ema_decay = 0.8;
    options.evaluated_weights = EvaluatedWeights::kAveraged;
    options.validate_every = 3;
    options.checkpoint_folder = path_ + "/" + name;
    options.save_every = 2;
    options.keep = {.newest = 10};
    options.zero = zero;
    if (ranks().rank() == 0) std::filesystem::create_directories(options.checkpoint_folder);
    ranks().barrier("a test");
    return options;
  }
  [[nodiscard]] std::string checkpoint(const std::string& name, std::int64_t step) const {
    return checkpoint_path(path_ + "/" + name, step);
  }

  testing::TemporaryFolder own_;
  std::string path_ = ranks().broadcast_text(own_.path(), 0, "a test");
};

TEST_P(OptimizersOnRanks, sharded_state_gives_the_same_bits_and_checkpoints) {
  const TrainerOptions together = options("whole", false);
  ToyRun zero(options("zero", true), ranks(), share()), whole(together, ranks(), share());
  (void)zero.trainer->run();
  (void)whole.trainer->run();
  EXPECT_EQ(zero.weights(), whole.weights());
  if (ranks().rank() != 0) return;
  ASSERT_EQ(zero.recorder.validations.size(), 2U);
  EXPECT_EQ(zero.recorder.validations[1].losses.loss, whole.recorder.validations[1].losses.loss)
      << "of the averaged weights";
  const CheckpointReader sharded(checkpoint("zero", 4)), at_once(checkpoint("whole", 4));
  ParameterStore& store = whole.network.parameters();
  const auto optimizer = make_optimizer(together.optimizer, store);
  for (const OptimizerState& state : optimizer->states()) {
    const Shape size{state.layout->partition().size()};
    OwnedTensor a(DType::kF32, size), b(DType::kF32, size);
    sharded.load_state(state.name, state.layout->parameters(), a, Memory::host());
    at_once.load_state(state.name, state.layout->parameters(), b, Memory::host());
    EXPECT_EQ(digest_of(a.view()), digest_of(b.view())) << state.name;
    EXPECT_NE(a.view().span<float>()[100], 0) << state.name;
  }
}

// Weights of linear layers are exchanged rounded then (weight_exchange.h).
TEST_P(OptimizersOnRanks, sharded_state_gives_the_same_bits_and_checkpoints_in_bf16) {
  const auto run = [&](const std::string& name, bool zero) {
    TrainerOptions both = options(name, zero);
    both.check_every = 2;
    ToyRun toy(both, ranks(), share(), 0.1, HeadKind::kPretraining, 1, DType::kBF16);
    (void)toy.trainer->run_until(3);
    (void)toy.trainer->run();
    EXPECT_EQ(toy.recorder.validations.size(), ranks().rank() == 0 ? 2U : 0U);
    return std::pair(toy.weights(), toy.recorder.validations);
  };
  const auto [sharded, averages] = run("zero", true);
  const auto [whole, expected] = run("whole", false);
  EXPECT_EQ(sharded, whole);
  for (std::size_t i = 0; i < averages.size(); ++i)
    EXPECT_EQ(averages[i].losses.loss, expected[i].losses.loss);
  for (const std::int64_t step : {2, 4, 6}) {
    const auto weights_at = [&](const std::string& name) {
      Network network(testing::toy_model(), HeadKind::kPretraining, DType::kBF16, true);
      CheckpointReader(checkpoint(name, step)).load_weights(network.parameters());
      return digest_of(network.parameters().weights());
    };
    EXPECT_EQ(weights_at("zero"), weights_at("whole")) << step;
  }
}

TEST_P(OptimizersOnRanks, resume_whole_and_sharded_is_bit_exact) {
  ToyRun straight(options("straight", true), ranks(), share());
  (void)straight.trainer->run();
  for (const bool zero : {true, false}) {
    TrainerOptions again = options("again", zero);
    again.checkpoint_folder.clear();
    ToyRun resumed(again, ranks(), share());
    resumed.network.initialize(50);
    resumed.trainer->restore(checkpoint("straight", 2));
    (void)resumed.trainer->run();
    EXPECT_EQ(resumed.weights(), straight.weights()) << (zero ? "sharded" : "whole");
  }
}

TEST_P(OptimizersOnRanks, resume_on_one_rank_matches_to_rounding) {
  ToyRun straight(options("straight", true), ranks(), share());
  (void)straight.trainer->run();
  TrainerOptions alone = options("alone", false);
  alone.checkpoint_folder.clear();
  const auto solo = make_solo_comm();
  ToyRun resumed(alone, *solo);
  resumed.trainer->restore(checkpoint("straight", 2));
  (void)resumed.trainer->run();
  EXPECT_LT(testing::distance(resumed.weights(), straight.weights()), 1e-4);
}

TEST_P(OptimizersOnRanks, a_rank_has_no_more_than_the_memory_plan_says) {
  ToyRun run(testing::toy_trainer(1), ranks(), share());
  ParameterStore& store = run.network.parameters();
  const OptimizerOptions of_kind{.kind = std::string(GetParam()), .ema_decay = 0.5};
  const auto optimizer = make_optimizer(
      of_kind, store, optimizer_partition(of_kind, store, ranks().rank(), ranks().ranks()), {});
  double bytes = 0;
  for (const OptimizerState& state : optimizer->states()) bytes += static_cast<double>(state.values.bytes());
  const auto planned = static_cast<double>(optimizer_bytes(of_kind, store, ranks().ranks()));
  EXPECT_LE(bytes, planned);
  double all[1] = {bytes};
  ranks().all_reduce(all, "a test");
  const auto whole = static_cast<double>(optimizer_bytes(of_kind, store, 1));
  EXPECT_LE(all[0], whole) << "together they have no more than one would";
}

INSTANTIATE_TEST_SUITE_P(, OptimizersOnRanks, ::testing::Values("adamw", "stable_adamw", "lamb", "muon"),
                         [](const auto& one) { return std::string(one.param); });

TEST(MuonPartition, cuts_no_matrix_and_covers_everything) {
  ToyRun run(testing::toy_trainer(1), ranks(), share());
  const ParameterStore& store = run.network.parameters();
  const OptimizerOptions muon{.kind = "muon"};
  for (const int count : {1, 2, 3, 7, 40}) {
    const ZeroPartition partition = optimizer_partition(muon, store, 0, count);
    ASSERT_EQ(partition.begins().size(), static_cast<std::size_t>(count) + 1);
    EXPECT_EQ(partition.begins().front(), 0);
    EXPECT_EQ(partition.begins().back(), store.flat_size());
    EXPECT_TRUE(std::ranges::is_sorted(partition.begins()));
    for (const Parameter& parameter : store.all())
      for (const std::int64_t begin : partition.begins())
        EXPECT_FALSE(parameter.name.starts_with("nystromformer.encoder.layer.") &&
                     parameter.shape.rank() == 2 && begin > parameter.offset &&
                     begin < parameter.offset + parameter.numel())
            << parameter.name << " of " << count << " ranks";
  }
}

}  // namespace
}  // namespace nystrom
