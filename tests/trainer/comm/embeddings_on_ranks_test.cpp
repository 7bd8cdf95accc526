// Training of embeddings, whose loss couples all vectors of the global batch: any number of ranks and any
// micro-batch give the result of one rank with one micro-batch.

#include <gtest/gtest.h>

#include "gradient_check.h"
#include "ranks.h"
#include "temporary_folder.h"
#include "toy_run.h"
#include "trainer/guards/consistency.h"

namespace nystrom {
namespace {

using testing::ranks;
using testing::ToyOptions;
using testing::ToyRun;

constexpr std::int64_t kSequences = 12;  // of a global batch: six pairs, which 1, 2 and 3 ranks share evenly

TrainerOptions options_for(std::int64_t steps) {
  TrainerOptions options = testing::toy_trainer(steps);
  options.in_batch = InBatchOptions{.temperature = 0.1, .sizes = {32, 8}, .max_rows = kSequences / 2};
  options.objective.weights[0] = 2;
  return options;
}

ToyOptions share_of(std::int64_t micro_batch) {
  return {.global_batch = kSequences,
          .micro_batch = micro_batch,
          .rank = ranks().rank(),
          .ranks = ranks().ranks()};
}

struct EmbeddingRun : ToyRun {
  EmbeddingRun(const TrainerOptions& options, Comm& comm, const ToyOptions& toy)
      : ToyRun(options, comm, toy, 0.1, HeadKind::kEmbedding) {}
};

TEST(EmbeddingsOnRanks, have_the_losses_and_weights_of_one_rank_with_one_micro_batch) {
  const auto solo = make_solo_comm();
  EmbeddingRun alone(options_for(6), *solo, {.global_batch = kSequences, .micro_batch = kSequences});
  (void)alone.trainer->run();
  ASSERT_EQ(alone.recorder.steps.size(), 6U);
  EXPECT_GT(alone.recorder.steps.front().losses.loss, 2.5) << "two sizes, near log 6 each";
  for (const std::int64_t micro_batch : {2, 4, 12}) {
    EmbeddingRun together(options_for(6), ranks(), share_of(micro_batch));
    (void)together.trainer->run();
    if (ranks().rank() == 0)
      for (std::size_t i = 0; i < 6; ++i) {
        const StepReport &a = together.recorder.steps.at(i), &b = alone.recorder.steps[i];
        EXPECT_NEAR(a.losses.loss / b.losses.loss, 1, 1e-5) << "step " << a.step;
        EXPECT_NEAR(a.gradient_norm / b.gradient_norm, 1, 1e-4) << "step " << a.step;
      }
    EXPECT_LT(testing::distance(together.weights(), alone.weights()), 1e-4);
    require_agreement(ranks(), {{"weights", digest_of(together.network.parameters().weights())}});
  }
}

TEST(EmbeddingsOnRanks, a_rank_without_rows_takes_part) {
  // All pairs are the last rank's.
  const bool is_last = ranks().rank() + 1 == ranks().ranks();
  const ToyOptions mine = is_last ? ToyOptions{.global_batch = kSequences, .micro_batch = 4}
                                  : ToyOptions{.global_batch = 1, .micro_batch = 4, .rank = 1, .ranks = 2};
  EmbeddingRun together(options_for(2), ranks(), mine);
  (void)together.trainer->run();
  const auto solo = make_solo_comm();
  EmbeddingRun alone(options_for(2), *solo, {.global_batch = kSequences, .micro_batch = 4});
  (void)alone.trainer->run();
  EXPECT_EQ(together.weights(), alone.weights()) << "sums with zeros";
  require_agreement(ranks(), {{"weights", digest_of(together.network.parameters().weights())}});
}

TEST(EmbeddingsOnRanks, resume_to_the_same_bits) {
  const testing::TemporaryFolder own;
  const std::string folder = ranks().broadcast_text(own.path(), 0, "a test");
  TrainerOptions options = options_for(6);
  options.checkpoint_folder = folder;
  options.save_every = 3;
  EmbeddingRun whole(options, ranks(), share_of(2));
  (void)whole.trainer->run();
  EmbeddingRun resumed(options, ranks(), share_of(2));
  resumed.trainer->restore(checkpoint_path(options.checkpoint_folder, 3));
  (void)resumed.trainer->run();
  EXPECT_EQ(resumed.weights(), whole.weights());
  ranks().barrier("a test");
}

// In double precision, in three micro-batches with dropout: the gradient of all weights is that of the loss.
TEST(InBatchPass, gives_the_gradient_that_central_differences_give) {
  if (ranks().rank() > 0) return;
  const auto solo = make_solo_comm();
  Context context(1);
  ModelConfig model = testing::toy_model(0.2);
  model.network.pooling = Pooling::kMean;
  Network network(model, HeadKind::kEmbedding, DType::kF64, true);
  network.initialize(3);
  for (double& w : network.parameters().weights().span<double>()) w *= 8;
  testing::ToySource source({.global_batch = 6, .micro_batch = 2});
  network.plan(source.limits(), 1);
  BatchBuffer buffer(source.limits());
  InBatchPass in_batch(context, *solo, network, {.temperature = 0.2, .sizes = {32, 8}, .max_rows = 3});
  const Pass pass{.training = true, .seed = 9};
  const StepBatch& batch = source.read(0);
  const auto loss = [&] {
    network.head().reset_sums(context);
    in_batch.begin(6);
    for (const HostBatch& micro_batch : batch.micro_batches) {
      network.forward(context, buffer.upload(arrays_of(micro_batch)), pass, LossScales{});
      in_batch.collect();
    }
    in_batch.finish();
    return network.head().sums().span<double>()[0] / 3;
  };
  (void)loss();
  ParameterStore& store = network.parameters();
  store.zero_gradients(context);
  for (const HostBatch& micro_batch : batch.micro_batches) {
    const Batch& uploaded = buffer.upload(arrays_of(micro_batch));
    in_batch.set_gradient(uploaded.sequences.count);
    network.forward(context, uploaded, pass, LossScales{});
    network.backward(context, uploaded, pass, LossScales{});
  }
  for (ParameterId id = 0; id < store.count(); ++id) {
    if (store[id].name.ends_with("key.bias")) continue;  // softmax cancels it: its gradient is noise
    testing::expect_gradient(store[id].name, store.weight(id), store.gradient(id), loss, 5e-6, 3);
  }
}

}  // namespace
}  // namespace nystrom
