#include "trainer/pretrain.h"
#include "kernels/core/json.h"
#include "trainer/run/run_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <sstream>

#include "file_bytes.h"
#include "temporary_folder.h"
#include "toy_run.h"
#include "trainer/checkpoint/checkpoint.h"

namespace nystrom {
namespace {

using ::testing::HasSubstr;

class Pretrain : public ::testing::Test {
 protected:
  PretrainOptions options(std::int64_t steps) {
    PretrainOptions all;
    all.directory = (folder / "run");
    all.model = testing::toy_model();
    all.threads = 1;
    all.sequence_length = testing::kToyLongest;
    all.global_batch = 8;
    all.micro_batch = 4;
    all.training_data = [](const SourceRequest& request) -> std::unique_ptr<BatchSource> {
      return std::make_unique<testing::ToySource>(testing::ToyOptions{.global_batch = request.global_batch,
                                                                      .micro_batch = request.micro_batch,
                                                                      .rank = request.rank,
                                                                      .ranks = request.ranks});
    };
    all.trainer = testing::toy_trainer(steps);
    all.trainer.save_every = 2;
    all.may_change = [](std::string_view key) { return key == "training.steps"; };
    return all;
  }
  std::string refusal(const PretrainOptions& all) {
    try {
      (void)pretrain(all, *comm, recorder);
    } catch (const InputError& error) {
      return error.what();
    }
    return "";
  }
  /// The lines without what differs from run to run.
  std::vector<nlohmann::json> metrics() {
    std::vector<nlohmann::json> lines;
    std::istringstream text(testing::read_bytes((folder / "run/metrics.jsonl")));
    for (std::string line; std::getline(text, line);) {
      lines.push_back(parse_json<nlohmann::json>(line));
      lines.back().erase("seconds");
      lines.back().erase("tokens_per_second");
    }
    return lines;
  }

  testing::TemporaryFolder folder;
  std::unique_ptr<Comm> comm = make_solo_comm();
  testing::Recorder recorder;
};

TEST_F(Pretrain, writes_the_documented_files) {
  EXPECT_EQ(pretrain(options(3), *comm, recorder), StopReason::kDone);
  EXPECT_EQ(testing::read_bytes((folder / "run/config.yaml")), "seed: 3\n");
  EXPECT_EQ(metrics().size(), 3U);
  EXPECT_TRUE(std::filesystem::exists(checkpoint_path((folder / "run/checkpoints"), 3)));
  ASSERT_EQ(recorder.runs.size(), 1U);
  EXPECT_EQ(recorder.runs[0].first_step, 1);
  EXPECT_EQ(recorder.runs[0].micro_batch, 4);
}

TEST_F(Pretrain, restart_resumes_from_the_last_checkpoint) {
  // A run of six steps that ended after its second checkpoint, with lines beyond it.
  (void)pretrain(options(6), *comm, recorder);
  const auto expected = metrics();
  const auto whole =
      CheckpointReader(checkpoint_path((folder / "run/checkpoints"), 6)).read_tensor("cls.predictions.bias");
  std::filesystem::remove(checkpoint_path((folder / "run/checkpoints"), 6));
  EXPECT_EQ(pretrain(options(6), *comm, recorder), StopReason::kDone);
  EXPECT_EQ(recorder.runs.at(1).first_step, 5);
  EXPECT_EQ(metrics(), expected);
  EXPECT_EQ(
      CheckpointReader(checkpoint_path((folder / "run/checkpoints"), 6)).read_tensor("cls.predictions.bias"),
      whole);
}

TEST_F(Pretrain, corrupt_checkpoint_is_skipped_with_a_warning) {
  (void)pretrain(options(4), *comm, recorder);
  const std::string newest = checkpoint_path((folder / "run/checkpoints"), 4);
  std::string bytes = testing::read_bytes(newest);
  bytes[bytes.size() / 2] ^= 4;
  testing::write_bytes(newest, bytes);
  EXPECT_EQ(pretrain(options(4), *comm, recorder), StopReason::kDone);
  EXPECT_EQ(recorder.runs.at(1).first_step, 3);
  ASSERT_EQ(recorder.warnings.size(), 1U);
  EXPECT_THAT(recorder.warnings[0], HasSubstr("step-00000004.h5 is corrupt"));
}

TEST_F(Pretrain, without_a_valid_checkpoint_nothing_is_overwritten) {
  (void)pretrain(options(2), *comm, recorder);
  testing::write_bytes(checkpoint_path((folder / "run/checkpoints"), 2), "nystrom checkpoint 1\n");
  const std::string before = testing::read_bytes((folder / "run/metrics.jsonl"));
  EXPECT_THAT(refusal(options(2)), HasSubstr("No checkpoint in"));
  EXPECT_EQ(testing::read_bytes((folder / "run/metrics.jsonl")), before);
}

TEST_F(Pretrain, resume_never_is_refused_in_a_used_directory) {
  PretrainOptions never = options(2);
  never.resume = Resume::kNever;
  EXPECT_EQ(pretrain(never, *comm, recorder), StopReason::kDone);
  EXPECT_THAT(refusal(never), HasSubstr("was already used by a run"));
}

TEST_F(Pretrain, changed_configuration_is_refused_naming_the_keys) {
  (void)pretrain(options(2), *comm, recorder);
  PretrainOptions other = options(5);  // training.steps may change
  other.trainer.identity.settings["seed"] = "9";
  EXPECT_THAT(refusal(other), HasSubstr("seed (was 3, is 9)"));
  other.trainer.identity.settings["seed"] = "3";
  EXPECT_EQ(refusal(other), "");
}

TEST_F(Pretrain, a_directory_without_a_checkpoint_binds_no_configuration) {
  std::filesystem::create_directories((folder / "run"));
  testing::write_bytes((folder / "run/config.yaml"), "seed: 4\n");
  EXPECT_EQ(refusal(options(2)), "");
  EXPECT_EQ(testing::read_bytes((folder / "run/config.yaml")), "seed: 3\n");
}

TEST_F(Pretrain, a_start_that_is_refused_late_leaves_no_configuration) {
  PretrainOptions bad = options(2);
  bad.training_data = [](const SourceRequest&) -> std::unique_ptr<BatchSource> {
    refuse("`data.mixture` names no corpus of the shards.");
  };
  EXPECT_THAT(refusal(bad), HasSubstr("data.mixture"));
  EXPECT_FALSE(std::filesystem::exists((folder / "run/config.yaml")));
  PretrainOptions never = options(2);
  never.resume = Resume::kNever;
  never.trainer.identity.settings["seed"] = "9";
  EXPECT_EQ(refusal(never), "") << "the directory is as good as new";
}

TEST_F(Pretrain, invalid_options_are_refused_before_anything_is_written) {
  PretrainOptions bad = options(2);
  bad.sequence_length = 4000;
  EXPECT_THAT(refusal(bad), HasSubstr("model.max_positions"));
  bad = options(2);
  bad.trainer.schedule.warmup_steps = 3;
  EXPECT_THAT(refusal(bad), HasSubstr("schedule.warmup_steps"));
  EXPECT_FALSE(std::filesystem::exists((folder / "run")));
}

TEST_F(Pretrain, directory_that_cannot_be_created_is_named) {
  testing::write_bytes((folder / "run"), "a file");
  EXPECT_THAT(refusal(options(2)), HasSubstr((folder / "run")));
}

TEST(PretrainOptionsTest, automatic_micro_batch_is_at_most_the_ranks_share) {
  EXPECT_EQ(automatic_micro_batch(512, 256, 2), 8);
  EXPECT_EQ(automatic_micro_batch(512, 6, 2), 3);
  EXPECT_EQ(automatic_micro_batch(65536, 256, 2), 1);
}

TEST(PretrainOptionsTest, added_and_removed_keys_are_differences) {
  const auto none = [](std::string_view) { return false; };
  EXPECT_EQ(differing_keys({{"a", "1"}, {"b", "2"}}, {{"b", "2"}, {"c", "3"}}, none),
            (std::vector<std::string>{"a (was 1, is not given)", "c (was not given, is 3)"}));
}

}  // namespace
}  // namespace nystrom
