// N ranks against one: every rank also runs the whole job alone and compares.

#include <gtest/gtest.h>

#include <cmath>
#include <csignal>
#include <filesystem>
#include <limits>

#include "ranks.h"
#include "send_signal.h"
#include "toy_run.h"
#include "trainer/checkpoint/checkpoint.h"
#include "trainer/guards/consistency.h"

namespace nystrom {
namespace {

using testing::FolderOfRanks;
using testing::ranks;
using testing::toy_trainer;
using testing::ToyRun;

testing::ToyOptions share_of(std::int64_t global_batch, std::int64_t micro_batch) {
  return {.global_batch = global_batch,
          .micro_batch = micro_batch,
          .rank = ranks().rank(),
          .ranks = ranks().ranks()};
}

TEST(Ranks, n_ranks_match_one_rank_to_rounding_and_each_other_to_the_bit) {
  const auto solo = make_solo_comm();
  ToyRun alone(toy_trainer(8), *solo);
  (void)alone.trainer->run();
  for (const std::int64_t micro_batch : {1, 2, 8}) {
    ToyRun together(toy_trainer(8), ranks(), share_of(8, micro_batch));
    (void)together.trainer->run();
    if (ranks().rank() == 0) {
      ASSERT_EQ(together.recorder.steps.size(), 8U);
      for (std::size_t i = 0; i < 8; ++i) {
        const StepReport &a = together.recorder.steps[i], &b = alone.recorder.steps[i];
        EXPECT_NEAR(a.losses.loss / b.losses.loss, 1, 1e-5) << "step " << a.step;
        EXPECT_NEAR(a.gradient_norm / b.gradient_norm, 1, 1e-4) << "step " << a.step;
        EXPECT_EQ(a.samples, b.samples);
        EXPECT_EQ(a.losses.terms[0].labels, b.losses.terms[0].labels);
      }
    }
    EXPECT_LT(testing::distance(together.weights(), alone.weights()), 1e-4);
    require_agreement(ranks(), {{"weights", digest_of(together.network.parameters().weights())}});
  }
}

TEST(Ranks, rank_without_sequences_takes_part_in_all_collectives) {
  const auto solo = make_solo_comm();
  TrainerOptions options = toy_trainer(4);
  options.validate_every = 2;
  options.pinv_residual_every = 2;
  ToyRun alone(options, *solo, {.global_batch = 1}), together(options, ranks(), share_of(1, 1));
  (void)alone.trainer->run();
  (void)together.trainer->run();
  EXPECT_LT(testing::distance(together.weights(), alone.weights()), 1e-4);
  if (ranks().rank() != 0) return;
  EXPECT_NEAR(together.recorder.validations.at(1).losses.loss / alone.recorder.validations.at(1).losses.loss,
              1, 1e-5);
  EXPECT_NEAR(together.recorder.steps.at(1).pinv_residual_mean.at(1) /
                  alone.recorder.steps.at(1).pinv_residual_mean.at(1),
              1, 1e-3);
}

TEST(Ranks, resume_on_the_same_number_of_ranks_is_bit_exact) {
  const FolderOfRanks folder;
  TrainerOptions options = toy_trainer(6);
  options.checkpoint_folder = folder.path;
  options.save_every = 2;
  options.keep = {.newest = 10};
  ToyRun straight(options, ranks(), share_of(8, 2));
  (void)straight.trainer->run();
  ToyRun resumed(options, ranks(), share_of(8, 2));
  resumed.network.initialize(50 + static_cast<std::uint64_t>(ranks().rank()));
  resumed.trainer->restore(checkpoint_path(folder.path, 2));
  (void)resumed.trainer->run();
  EXPECT_EQ(resumed.weights(), straight.weights());
}

TEST(Ranks, resume_on_one_rank_matches_to_rounding) {
  const FolderOfRanks folder;
  TrainerOptions options = toy_trainer(6);
  options.checkpoint_folder = folder.path;
  options.save_every = 2;
  options.keep = {.newest = 10};
  ToyRun straight(options, ranks(), share_of(8, 2));
  (void)straight.trainer->run();
  const auto solo = make_solo_comm();
  options.checkpoint_folder.clear();
  ToyRun alone(options, *solo);
  alone.trainer->restore(checkpoint_path(folder.path, 2));
  (void)alone.trainer->run();
  EXPECT_LT(testing::distance(alone.weights(), straight.weights()), 1e-4);
}

TrainerOptions zero_options(const std::string& folder) {
  std::filesystem::create_directories(folder);
  TrainerOptions options = toy_trainer(6);
  options.checkpoint_folder = folder;
  options.save_every = 2;
  options.keep = {.newest = 10};
  options.zero = true;
  return options;
}

TEST(Zero, sharded_state_gives_the_same_bits_and_checkpoints) {
  const FolderOfRanks folder;
  TrainerOptions options = zero_options(folder.path + "/zero");
  ToyRun zero(options, ranks(), share_of(8, 2));
  (void)zero.trainer->run();
  options.checkpoint_folder = folder.path + "/whole";
  std::filesystem::create_directories(options.checkpoint_folder);
  options.zero = false;
  ToyRun whole(options, ranks(), share_of(8, 2));
  (void)whole.trainer->run();
  EXPECT_EQ(zero.weights(), whole.weights());
  if (ranks().rank() != 0) return;
  for (const std::int64_t step : {2, 4, 6}) {
    const ParameterStore& store = whole.network.parameters();
    OwnedTensor a(DType::kF32, {store.flat_size()}), b(DType::kF32, {store.flat_size()});
    const CheckpointReader sharded(checkpoint_path(folder.path + "/zero", step)),
        at_once(checkpoint_path(folder.path + "/whole", step));
    for (const char* state : {"exp_avg", "exp_avg_sq"}) {
      sharded.load_state(state, store.all(), a, Memory::host());
      at_once.load_state(state, store.all(), b, Memory::host());
      EXPECT_EQ(digest_of(a.view()), digest_of(b.view())) << state << " at step " << step;
      EXPECT_NE(a.view().span<float>()[100], 0) << state;
    }
  }
}

TEST(Zero, each_rank_keeps_only_its_shard) {
  ToyRun run(toy_trainer(1), ranks(), share_of(8, 8));
  ParameterStore& store = run.network.parameters();
  const ZeroPartition partition(store.flat_size(), ranks().rank(), ranks().ranks());
  const auto optimizer = make_optimizer({}, store, partition, {});
  for (const OptimizerState& state : optimizer->states()) EXPECT_EQ(state.values.numel(), partition.count());
  EXPECT_LE(partition.count(), store.flat_size() / ranks().ranks() + 64);
}

TEST(Zero, resume_with_or_without_sharding_is_bit_exact) {
  const FolderOfRanks folder;
  TrainerOptions options = zero_options(folder.path);
  ToyRun straight(options, ranks(), share_of(8, 2));
  (void)straight.trainer->run();
  options.checkpoint_folder.clear();
  for (const bool zero : {true, false}) {
    options.zero = zero;
    ToyRun resumed(options, ranks(), share_of(8, 2));
    resumed.network.initialize(50 + static_cast<std::uint64_t>(ranks().rank()));
    resumed.trainer->restore(checkpoint_path(folder.path, 2));
    (void)resumed.trainer->run();
    EXPECT_EQ(resumed.weights(), straight.weights());
  }
  const auto solo = make_solo_comm();
  ToyRun alone(options, *solo);
  alone.trainer->restore(checkpoint_path(folder.path, 2));
  (void)alone.trainer->run();
  EXPECT_LT(testing::distance(alone.weights(), straight.weights()), 1e-4);
}

TEST(Zero, self_check_and_rollback_work_with_sharding) {
  const FolderOfRanks folder;
  TrainerOptions options = zero_options(folder.path);
  options.check_every = 2;
  options.on_nonfinite = OnTrouble::kRollBack;
  ToyRun run(options, ranks(), share_of(8, 2));
  (void)run.trainer->run_until(4);
  run.network.parameters().weights().span<float>()[100] = std::numeric_limits<float>::quiet_NaN();
  (void)run.trainer->run_until(6);  // goes back to step 4
  EXPECT_EQ(run.trainer->state().step, 6);
  for (const float weight : run.weights()) ASSERT_TRUE(std::isfinite(weight));
}

// Each rank knows the sums of its shard alone, yet all must stop, with one message.
TEST(Zero, gradient_that_is_not_finite_is_named_on_every_rank) {
  std::vector<std::string> messages;
  for (const bool zero : {true, false}) {
    TrainerOptions options = toy_trainer(2);
    options.zero = zero;
    ToyRun run(options, ranks(), share_of(8, 2));
    ParameterStore& store = run.network.parameters();
    const Parameter* value = store.find("nystromformer.encoder.layer.1.attention.self.value.weight");
    ASSERT_NE(value, nullptr);
    store.weights().span<float>()[static_cast<std::size_t>(value->offset)] =
        std::numeric_limits<float>::infinity();
    try {
      (void)run.trainer->run();
      FAIL() << "no error";
    } catch (const Error& error) {
      messages.emplace_back(error.what());
    }
  }
  EXPECT_EQ(messages[0], messages[1]);
  EXPECT_NE(messages[0].find("the gradient of "), std::string::npos) << messages[0];
  const auto all = ranks().all_gather_text(messages[0], "a test");
  for (const std::string& message : all) EXPECT_EQ(message, messages[0]);
}

// Rounding gradients to 8 bits moves the toy's weights by little; nothing sharper is promised.
TEST(Ranks, bf16_all_reduce_trains_as_well) {
  if (ranks().ranks() == 1) GTEST_SKIP() << "With one rank nothing is summed.";
  TrainerOptions options = toy_trainer(8);
  ToyRun exact(options, ranks(), share_of(8, 2));
  (void)exact.trainer->run();
  options.bf16_reduction = true;
  for (const bool zero : {false, true}) {
    options.zero = zero;
    ToyRun rounded(options, ranks(), share_of(8, 2));
    (void)rounded.trainer->run();
    const double moved = testing::distance(rounded.weights(), exact.weights());
    EXPECT_LT(moved, 2e-2);
    EXPECT_GT(moved, 1e-7);
    require_agreement(ranks(), {{"weights", digest_of(rounded.network.parameters().weights())}});
    if (ranks().rank() != 0) continue;
    // The first step's gradients are those of equal weights: the norm is off by at most 2^-8 for each of N
    // roundings, times the ranks' norms over the sum's; the toy's gradients do not cancel much.
    EXPECT_NEAR(rounded.recorder.steps[0].gradient_norm / exact.recorder.steps[0].gradient_norm, 1, 1e-2);
  }
}

/// Asks this process to stop after a step.
class StopAfter final : public BatchSource {
 public:
  StopAfter(BatchSource& inner, std::int64_t step) : inner_(inner), step_(step) {}
  const StepBatch& read(std::int64_t index) override {
    if (index + 1 == step_) testing::send_signal(SIGTERM);
    return inner_.read(index);
  }
  [[nodiscard]] BatchLimits limits() const override { return inner_.limits(); }

 private:
  BatchSource& inner_;
  std::int64_t step_;
};

TEST(Ranks, signal_to_one_rank_stops_all_at_the_same_step) {
  const FolderOfRanks folder;
  TrainerOptions options = toy_trainer(6);
  options.checkpoint_folder = folder.path;
  ToyRun parts(options, ranks(), share_of(8, 8));
  const bool last = ranks().rank() == ranks().ranks() - 1;
  StopAfter source(parts.source, last ? 3 : -1);
  Trainer trainer(options, {parts.context, ranks(), parts.network, source, nullptr, parts.recorder});
  EXPECT_EQ(trainer.run(), StopReason::kStopped);
  EXPECT_EQ(trainer.state().step, 3);
  EXPECT_EQ(find_newest_checkpoint(folder.path).path, checkpoint_path(folder.path, 3));
}

TEST(Ranks, different_weights_on_a_rank_are_named_before_the_first_step) {
  if (ranks().ranks() == 1) GTEST_SKIP() << "There is one rank.";
  ToyRun run(toy_trainer(2), ranks(), share_of(8, 8));
  if (ranks().rank() == 1) run.network.parameters().weights().span<float>()[3] += 1e-3F;
  EXPECT_THROW((void)run.trainer->run(), Error);
  EXPECT_EQ(run.trainer->state().step, 0);
}

}  // namespace
}  // namespace nystrom
