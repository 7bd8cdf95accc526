// Groups of ranks that share sequences, against one rank: every rank also runs the whole job alone.

#include <gtest/gtest.h>

#include <memory>

#include "ranks.h"
#include "toy_run.h"
#include "trainer/batches/span_source.h"
#include "trainer/checkpoint/checkpoint.h"
#include "trainer/comm/rank_group.h"
#include "trainer/guards/consistency.h"

namespace nystrom {
namespace {

using testing::FolderOfRanks;
using testing::ranks;
using testing::toy_trainer;
using testing::ToyRun;
using testing::ToySource;

/// Where the toy's batches are cut; none of their sequences is so short that it must not be.
using Cuts = std::vector<std::int64_t> (*)(std::span<const std::int32_t> offsets, int ranks);

std::vector<std::int64_t> even_cuts(std::span<const std::int32_t> offsets, int ranks) {
  std::vector<std::int64_t> cuts;
  for (int r = 0; r <= ranks; ++r) cuts.push_back(std::int64_t{offsets.back()} * r / ranks);
  return cuts;
}

/// Two rows for the first rank, none for the last, and nearly all for the one before it.
std::vector<std::int64_t> uneven_cuts(std::span<const std::int32_t> offsets, int ranks) {
  std::vector<std::int64_t> cuts{0};
  for (int r = 1; r < ranks; ++r)
    cuts.push_back(r == ranks - 1 ? offsets.back() : std::min(2 * r, offsets.back()));
  cuts.push_back(offsets.back());
  return cuts;
}

/// The whole sequences of even shares: nothing is split.
std::vector<std::int64_t> whole_cuts(std::span<const std::int32_t> offsets, int ranks) {
  std::vector<std::int64_t> cuts;
  for (int r = 0; r <= ranks; ++r)
    cuts.push_back(
        offsets[(offsets.size() - 1) * static_cast<std::size_t>(r) / static_cast<std::size_t>(ranks)]);
  return cuts;
}

struct GroupOptions {
  int sequence_ranks = 1;
  std::int64_t micro_batch = 8;
  Cuts cuts = even_cuts;
  bool recompute = false;
  std::string attention = "nystrom";
};

ModelConfig model_of(const GroupOptions& options) {
  ModelConfig model = testing::toy_model();
  model.attention.kind = options.attention;
  if (options.attention == "softmax") model.attention_dropout = 0.1;
  return model;
}

/// A toy run whose ranks share sequences in groups.
struct GroupRun {
  GroupRun(const TrainerOptions& options, const GroupOptions& of, Comm& comm = ranks())
      : context(1),
        network(model_of(of), HeadKind::kPretraining, DType::kF32, true),
        group(comm, of.sequence_ranks),
        training(source(of, INT64_MAX)),
        validation(source(of, 3)) {
    network.initialize(options.seed);
    network.plan(training->limits(), context.threads(), of.recompute);
    trainer = std::make_unique<Trainer>(
        options,
        TrainerDependencies{context, comm, network, *training, validation.get(), recorder, nullptr, &group});
  }
  std::unique_ptr<BatchSource> source(const GroupOptions& of, std::int64_t batches) const {
    auto whole = std::make_unique<ToySource>(testing::ToyOptions{.global_batch = 8,
                                                                 .micro_batch = of.micro_batch,
                                                                 .rank = group.index(),
                                                                 .ranks = group.groups(),
                                                                 .batches = batches});
    BatchLimits limits = whole->limits();
    limits.split = true;
    return std::make_unique<SpanSource>(
        std::move(whole),
        SpanOptions{.rank = group.rank(),
                    .cuts = [cuts = of.cuts, n = of.sequence_ranks](
                                std::span<const std::int32_t> offsets) { return cuts(offsets, n); },
                    .limits = limits});
  }
  [[nodiscard]] std::vector<float> weights() const {
    const auto values = network.parameters().weights().span<float>();
    return {values.begin(), values.end()};
  }

  Context context;
  Network network;
  RankGroup group;
  std::unique_ptr<BatchSource> training, validation;
  testing::Recorder recorder;
  std::unique_ptr<Trainer> trainer;
};

/// The sizes of groups that this many ranks can form.
std::vector<int> group_sizes() {
  std::vector<int> sizes;
  for (int n = 1; n <= ranks().ranks(); ++n)
    if (ranks().ranks() % n == 0) sizes.push_back(n);
  return sizes;
}

template <class Run>
void expect_equal_runs(const GroupRun& together, const Run& alone) {
  EXPECT_LT(testing::distance(together.weights(), alone.weights()), 1e-4);
  if (ranks().rank() != 0) return;
  ASSERT_EQ(together.recorder.steps.size(), alone.recorder.steps.size());
  for (std::size_t i = 0; i < alone.recorder.steps.size(); ++i) {
    const StepReport &a = together.recorder.steps[i], &b = alone.recorder.steps[i];
    EXPECT_NEAR(a.losses.loss / b.losses.loss, 1, 1e-5) << "step " << a.step;
    EXPECT_NEAR(a.gradient_norm / b.gradient_norm, 1, 1e-4) << "step " << a.step;
    EXPECT_EQ(a.samples, b.samples);
    for (std::size_t term = 0; term < 2; ++term) {
      EXPECT_EQ(a.losses.terms[term].labels, b.losses.terms[term].labels) << "step " << a.step;
      EXPECT_NEAR(a.losses.terms[term].loss / b.losses.terms[term].loss, 1, 1e-5) << "step " << a.step;
    }
    ASSERT_EQ(a.pinv_residual_mean.size(), b.pinv_residual_mean.size());
    for (std::size_t layer = 0; layer < b.pinv_residual_mean.size(); ++layer)
      EXPECT_NEAR(a.pinv_residual_mean[layer] / b.pinv_residual_mean[layer], 1, 1e-3) << "step " << a.step;
  }
  ASSERT_EQ(together.recorder.validations.size(), alone.recorder.validations.size());
  for (std::size_t i = 0; i < alone.recorder.validations.size(); ++i)
    EXPECT_NEAR(together.recorder.validations[i].losses.loss / alone.recorder.validations[i].losses.loss, 1,
                1e-5);
}

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
