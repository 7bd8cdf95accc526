// Groups of ranks that share sequences, against one rank: every rank also runs the whole job alone.

#include <gtest/gtest.h>

#include <memory>

#include "group_run.h"
#include "trainer/checkpoint/checkpoint.h"
#include "trainer/guards/consistency.h"

namespace nystrom {
namespace {

using testing::Cuts;
using testing::even_cuts;
using testing::expect_equal_runs;
using testing::FolderOfRanks;
using testing::group_sizes;
using testing::GroupOptions;
using testing::GroupRun;
using testing::ranks;
using testing::toy_trainer;
using testing::ToyRun;
using testing::uneven_cuts;
using testing::whole_cuts;

TEST(SequenceRanks, groups_train_as_one_rank_does) {
  const auto solo = make_solo_comm();
  TrainerOptions options = toy_trainer(20);
  options.pinv_residual_every = 10;
  options.validate_every = 10;
  ToyRun alone(options, *solo);
  (void)alone.trainer->run();
  for (const int size : group_sizes())
    for (const std::int64_t micro_batch : {1, 3, 8}) {
      SCOPED_TRACE(fmt::format("groups of {}, micro-batches of {}", size, micro_batch));
      GroupRun together(options, {.sequence_ranks = size, .micro_batch = micro_batch});
      (void)together.trainer->run();
      expect_equal_runs(together, alone);
      require_agreement(ranks(), {{"weights", digest_of(together.network.parameters().weights())}});
      if (size > 1) {
        EXPECT_GT(together.group.bytes_sent(), 0);
      }
    }
}

TEST(SequenceRanks, softmax_attention_trains_as_on_one_rank_too) {
  const auto solo = make_solo_comm();
  const TrainerOptions options = toy_trainer(10);
  GroupRun alone(options, {.attention = "softmax"}, *solo);
  (void)alone.trainer->run();
  for (const int size : group_sizes())
    for (const Cuts cuts : {even_cuts, uneven_cuts}) {
      SCOPED_TRACE(fmt::format("groups of {}", size));
      GroupRun together(options,
                        {.sequence_ranks = size, .micro_batch = 3, .cuts = cuts, .attention = "softmax"});
      (void)together.trainer->run();
      expect_equal_runs(together, alone);
    }
}

TEST(SequenceRanks, spans_may_be_empty_or_a_few_rows) {
  const auto solo = make_solo_comm();
  const TrainerOptions options = toy_trainer(8);
  ToyRun alone(options, *solo);
  (void)alone.trainer->run();
  for (const int size : group_sizes())
    for (const std::int64_t micro_batch : {1, 8}) {
      SCOPED_TRACE(fmt::format("groups of {}, micro-batches of {}", size, micro_batch));
      GroupRun together(options, {.sequence_ranks = size, .micro_batch = micro_batch, .cuts = uneven_cuts});
      (void)together.trainer->run();
      expect_equal_runs(together, alone);
    }
}

TEST(SequenceRanks, unsplit_sequences_send_nothing) {
  const auto solo = make_solo_comm();
  const TrainerOptions options = toy_trainer(4);
  ToyRun alone(options, *solo);
  (void)alone.trainer->run();
  for (const int size : group_sizes()) {
    GroupRun together(options, {.sequence_ranks = size, .cuts = whole_cuts});
    (void)together.trainer->run();
    expect_equal_runs(together, alone);
    EXPECT_EQ(together.group.bytes_sent(), 0);
  }
}

TEST(SequenceRanks, recomputation_checks_of_the_arithmetic_and_zero_work_in_groups) {
  const auto solo = make_solo_comm();
  TrainerOptions options = toy_trainer(6);
  ToyRun alone(options, *solo);
  (void)alone.trainer->run();
  options.check_every = 2;
  options.zero = true;
  for (const int size : group_sizes()) {
    GroupRun together(options,
                      {.sequence_ranks = size, .micro_batch = 3, .cuts = uneven_cuts, .recompute = true});
    (void)together.trainer->run();
    expect_equal_runs(together, alone);
  }
}

TEST(SequenceRanks, runs_resume_in_other_groups_and_alone) {
  const FolderOfRanks folder;
  TrainerOptions options = toy_trainer(6);
  options.checkpoint_folder = folder.path;
  options.save_every = 3;
  options.keep = {.newest = 10};
  GroupRun straight(options, {.sequence_ranks = ranks().ranks(), .micro_batch = 3});
  (void)straight.trainer->run();
  options.checkpoint_folder.clear();
  for (const int size : group_sizes()) {
    GroupRun resumed(options, {.sequence_ranks = size});
    resumed.network.initialize(50);
    resumed.trainer->restore(checkpoint_path(folder.path, 3));
    (void)resumed.trainer->run();
    EXPECT_LT(testing::distance(resumed.weights(), straight.weights()), 1e-4);
    EXPECT_EQ(resumed.trainer->state().samples, straight.trainer->state().samples);
  }
  const auto solo = make_solo_comm();
  ToyRun alone(options, *solo);
  alone.trainer->restore(checkpoint_path(folder.path, 3));
  (void)alone.trainer->run();
  EXPECT_LT(testing::distance(alone.weights(), straight.weights()), 1e-4);
}

TEST(SequenceRanks, a_run_in_the_same_groups_has_the_same_bits) {
  const TrainerOptions options = toy_trainer(4);
  const GroupOptions groups{.sequence_ranks = ranks().ranks(), .micro_batch = 3};
  GroupRun a(options, groups), b(options, groups);
  (void)a.trainer->run();
  (void)b.trainer->run();
  EXPECT_EQ(a.weights(), b.weights());
}

}  // namespace
}  // namespace nystrom
