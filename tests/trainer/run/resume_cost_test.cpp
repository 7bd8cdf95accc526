// Resuming costs the same after ten steps and after ten million.

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>

#include "shard_corpus.h"
#include "toy_run.h"
#include "trainer/checkpoint/checkpoint.h"
#include "trainer/pretrain.h"

namespace nystrom {
namespace {

class ResumeCost : public ::testing::Test {
 protected:
  ResumeCost() { testing::write_shard(folder / "shard.h5", testing::make_documents(300)); }

  PretrainOptions options(const std::string& directory, std::int64_t steps) {
    PretrainOptions all;
    all.directory = directory;
    all.model = testing::toy_model();
    all.model.vocabulary_size = testing::kVocabulary;
    all.threads = 1;
    all.sequence_length = 32;
    all.global_batch = 8;
    all.micro_batch = 4;
    all.training_data = shard_source(testing::loader_options({folder / "shard.h5"}));
    all.trainer = testing::toy_trainer(steps);
    all.may_change = [](std::string_view key) { return key == "training.steps"; };
    return all;
  }

  /// Seconds to resume from `step` for one step, in a directory that looks as after that many.
  double seconds_at(std::int64_t step, std::int64_t metrics_every) {
    const std::string directory = folder / std::to_string(step);
    const PretrainOptions all = options(directory, step + 1);
    std::filesystem::create_directories(directory + "/checkpoints");
    Network network(all.model, all.head, all.precision, true);
    network.initialize(1);
    const auto optimizer = make_optimizer(all.trainer.optimizer, network.parameters());
    write_checkpoint(checkpoint_path(directory + "/checkpoints", step), network, *optimizer,
                     {.step = step, .samples = 8 * step, .updates = step, .seconds = 1},
                     all.trainer.identity);
    std::ofstream metrics(directory + "/metrics.jsonl");
    for (std::int64_t at = metrics_every; at <= step; at += metrics_every)
      metrics << "{\"step\": " << at << ", \"loss\": 1.2345678901234567, \"mlm_loss\": 1.2345678901234567}\n";
    metrics.close();
    const auto comm = make_solo_comm();
    Observer nobody;
    const auto start = std::chrono::steady_clock::now();
    EXPECT_EQ(pretrain(all, *comm, nobody), StopReason::kDone);
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }

  testing::TemporaryFolder folder;
};

TEST_F(ResumeCost, does_not_depend_on_the_step) {
  (void)seconds_at(9, 1);  // what a first time costs: caches, pages
  const double few = seconds_at(10, 1), many = seconds_at(10'000'000, 10);
  std::printf("resume at step 10: %.3f s; at step 10,000,000 with a million lines of metrics: %.3f s\n", few,
              many);
  // Ten million steps gone through again would take minutes, even without computing; a busy machine does not.
  EXPECT_LT(many, few + 3);
}

}  // namespace
}  // namespace nystrom
