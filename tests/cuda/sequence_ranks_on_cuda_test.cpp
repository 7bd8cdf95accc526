// Groups of GPUs that share sequences, over NCCL and over MPI, against one rank on the CPU.

#include <gtest/gtest.h>

#include "group_run.h"
#include "temporary_folder.h"
#include "trainer/checkpoint/checkpoint.h"
#include "trainer/guards/consistency.h"

namespace nystrom::testing {
namespace {

TEST(SequenceRanksOnCuda, groups_train_as_one_rank_does) {
  const auto solo = make_solo_comm();
  TrainerOptions options = toy_trainer(20);
  options.validate_every = 10;
  options.pinv_residual_every = 10;
  ToyRun alone(options, *solo);
  (void)alone.trainer->run();
  for (const int size : group_sizes()) {
    SCOPED_TRACE(fmt::format("groups of {}", size));
    GroupRun together(options, {.sequence_ranks = size, .micro_batch = 3, .gpu = CommKind::kNccl});
    (void)together.trainer->run();
    expect_equal_runs(together, alone);
    const HostValues weights(together.network.parameters().weights(), together.context.memory());
    require_agreement(ranks(), {{"weights", digest_of(weights)}});
    if (size > 1) {
      EXPECT_GT(together.group.bytes_sent(), 0);
    }
  }
}

TEST(SequenceRanksOnCuda, spans_may_be_empty_or_a_few_rows_over_nccl_and_mpi) {
  const auto solo = make_solo_comm();
  TrainerOptions options = toy_trainer(5);
  ToyRun alone(options, *solo);
  (void)alone.trainer->run();
  options.zero = true;
  options.check_every = 2;
  for (const CommKind kind : {CommKind::kNccl, CommKind::kMpi}) {
    GroupRun together(
        options, {.sequence_ranks = ranks().ranks(), .cuts = uneven_cuts, .recompute = true, .gpu = kind});
    (void)together.trainer->run();
    expect_equal_runs(together, alone);
  }
}

TEST(SequenceRanksOnCuda, a_run_in_the_same_groups_has_the_same_bits) {
  const TrainerOptions options = toy_trainer(3);
  const GroupOptions groups{.sequence_ranks = ranks().ranks(), .micro_batch = 3, .gpu = CommKind::kNccl};
  GroupRun a(options, groups), b(options, groups);
  (void)a.trainer->run();
  (void)b.trainer->run();
  EXPECT_EQ(a.weights(), b.weights());
}

TEST(SequenceRanksOnCuda, collectives_over_nccl_are_in_the_trace_where_the_device_did_them) {
  if (ranks().ranks() == 1) GTEST_SKIP() << "one rank exchanges nothing; this test runs under mpirun";
  const TemporaryFolder own;
  TrainerOptions options = toy_trainer(4);
  options.zero = true;
  options.profile = {.steps = {.first = 2, .last = 3},
                     .directory = ranks().broadcast_text(own.path(), 0, "a test")};
  GroupRun run(options, {.sequence_ranks = ranks().ranks(), .gpu = CommKind::kNccl});
  (void)run.trainer->run();
  for (const std::string_view name : {kGradientScatter, kWeightExchange, kSequenceExchange}) {
    std::int64_t found = 0;
    for (const Trace::Event& event : run.trace.events()) {
      if (event.kind != Trace::Kind::kCollective || event.name != name) continue;
      ++found;
      EXPECT_LE(event.begin_ns, event.end_ns) << name;
      EXPECT_GE(event.begin_ns, run.trace.begin_ns()) << name;
      EXPECT_LE(event.end_ns, run.trace.end_ns()) << name;
    }
    // Two steps, of several buckets or several exchanges of two layers.
    EXPECT_GE(found, name == kWeightExchange ? 2 : 4) << name;
  }
  ranks().barrier("a test");
}

TEST(SequenceRanksOnCuda, a_checkpoint_of_a_group_goes_on_on_one_cpu) {
  const TemporaryFolder own;
  TrainerOptions options = toy_trainer(6);
  options.checkpoint_folder = ranks().broadcast_text(own.path(), 0, "a test");
  options.save_every = 3;
  options.keep = {.newest = 10};
  GroupRun straight(options, {.sequence_ranks = ranks().ranks(), .gpu = CommKind::kNccl});
  (void)straight.trainer->run();
  const std::string checkpoint = checkpoint_path(options.checkpoint_folder, 3);
  options.checkpoint_folder.clear();
  const auto solo = make_solo_comm();
  ToyRun alone(options, *solo);
  alone.trainer->restore(checkpoint);
  (void)alone.trainer->run();
  EXPECT_LT(distance(alone.weights(), straight.weights()), 1e-4);
  ranks().barrier("a test");
}

}  // namespace
}  // namespace nystrom::testing
