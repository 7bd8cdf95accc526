#include "trainer/pretrain.h"
#include "kernels/core/json.h"
#include "trainer/run/run_directory.h"
#include "trainer/run/run_lock.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <map>
#include <sstream>

#include "file_bytes.h"
#include "temporary_folder.h"
#include "toy_run.h"
#include "trainer/checkpoint/checkpoint.h"
#include "trainer/guards/consistency.h"

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

TEST_F(Pretrain, check_writes_nothing_and_reports_what_the_run_takes) {
  PretrainOptions all = options(6);
  all.trainer.optimizer.kind = "adamw";
  const StartReport report = check_pretraining(all, {.steps = 2}, *comm, recorder);
  EXPECT_FALSE(std::filesystem::exists(folder / "run"));
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
  EXPECT_EQ(report.info.first_step, 1);
  EXPECT_EQ(report.info.steps, 6);
  EXPECT_EQ(report.info.micro_batch, 4);
  EXPECT_EQ(report.sequences_left, 6 * 8);
  EXPECT_EQ(report.timed.steps, 2);
  EXPECT_EQ(report.timed.sequences, 2 * 4) << "one micro-batch of the two that a step has";
  EXPECT_GT(report.timed.tokens_per_second, 0);
  EXPECT_NEAR(report.seconds_left(), report.timed.seconds / 8 * 48, 1e-12);

  EXPECT_EQ(pretrain(all, *comm, recorder), StopReason::kDone);
  const RunInfo& run = recorder.runs.at(0);
  EXPECT_EQ(report.info.state_bytes, run.state_bytes);
  EXPECT_EQ(report.info.activation_bytes, run.activation_bytes);
  std::map<std::string_view, std::size_t> memory;
  for (const MemoryPart& part : report.memory) memory[part.name] = part.bytes;
  EXPECT_EQ(memory.at("weights") + memory.at("gradients") + memory.at("optimizer state"), run.state_bytes);
  EXPECT_EQ(memory.at("activations"), run.activation_bytes);
  EXPECT_NEAR(static_cast<double>(report.checkpoint_bytes),
              static_cast<double>(std::filesystem::file_size(checkpoint_path(folder / "run/checkpoints", 6))),
              2e5);
}

TEST_F(Pretrain, check_of_a_resume_starts_where_the_run_would_and_leaves_it_as_it_is) {
  (void)pretrain(options(4), *comm, recorder);
  const std::string metrics_before = testing::read_bytes(folder / "run/metrics.jsonl");
  const auto time = std::filesystem::last_write_time(folder / "run");
  const StartReport report = check_pretraining(options(6), {.steps = 1}, *comm, recorder);
  EXPECT_EQ(report.info.first_step, 5);
  EXPECT_EQ(report.info.resumed_from, checkpoint_path(folder / "run/checkpoints", 4));
  EXPECT_EQ(report.sequences_left, 2 * 8);
  EXPECT_EQ(report.timed.steps, 1);
  EXPECT_EQ(testing::read_bytes(folder / "run/metrics.jsonl"), metrics_before);
  EXPECT_EQ(std::filesystem::last_write_time(folder / "run"), time);

  const StartReport done = check_pretraining(options(4), {.steps = 1}, *comm, recorder);
  EXPECT_GT(done.info.first_step, done.info.steps);
  EXPECT_EQ(done.timed.steps, 0) << "nothing is left to train";
}

TEST_F(Pretrain, check_refuses_what_the_start_refuses_with_the_same_sentence) {
  (void)pretrain(options(2), *comm, recorder);
  const auto checked = [&](const PretrainOptions& all) {
    try {
      (void)check_pretraining(all, {.steps = 1}, *comm, recorder);
    } catch (const InputError& error) {
      return std::string(error.what());
    }
    return std::string("accepted");
  };
  PretrainOptions never = options(2), other = options(2), inside_a_file = options(2);
  never.resume = Resume::kNever;
  other.trainer.identity.settings["seed"] = "4";
  inside_a_file.directory = folder / "run/metrics.jsonl/run";
  for (const PretrainOptions& all : {never, other, inside_a_file}) {
    const std::string sentence = checked(all);
    EXPECT_EQ(sentence, refusal(all));
    EXPECT_NE(sentence, "");
  }
  const RunLock lock(folder / "run", [](const std::string&) {});
  EXPECT_EQ(checked(options(2)), refusal(options(2)));
  EXPECT_THAT(checked(options(2)), HasSubstr("is in use by process"));
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
  EXPECT_THAT(recorder.warnings, ::testing::Contains(HasSubstr("step-00000004.h5 is corrupt")));
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

TEST_F(Pretrain, a_key_that_the_older_program_did_not_have_counts_as_its_default) {
  (void)pretrain(options(2), *comm, recorder);
  PretrainOptions newer = options(5);
  newer.defaults = {{"new.key", "1"}, {"gone.key", "1"}, {"seed", "0"}};
  newer.trainer.identity.settings["new.key"] = "2";
  EXPECT_THAT(refusal(newer), HasSubstr("another configuration: new.key (was 1, is 2)."));
  newer.trainer.identity.settings["new.key"] = "1";
  EXPECT_EQ(refusal(newer), "");
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

TEST_F(Pretrain, resume_never_starts_where_there_is_no_checkpoint) {
  std::filesystem::create_directories((folder / "run"));
  testing::write_bytes((folder / "run/config.yaml"), "seed: 4\n");
  testing::write_bytes((folder / "run/metrics.jsonl"), "{\"step\": 1}\n");
  PretrainOptions never = options(2);
  never.resume = Resume::kNever;
  EXPECT_EQ(refusal(never), "");
  EXPECT_EQ(metrics().size(), 2U);
}

class Fork : public Pretrain {
 protected:
  /// Of step 2 of a run of four steps, into the directory `name`.
  PretrainOptions fork(const std::string& name, std::int64_t steps = 4) {
    PretrainOptions all = options(steps);
    all.directory = folder / name;
    all.resume = Resume::kPath;
    all.resume_path = origin();
    all.may_change_in_fork = [](std::string_view key) { return key == "rate" || key == "training.steps"; };
    return all;
  }
  std::string origin() { return checkpoint_path((folder / "run/checkpoints"), 2); }
  std::string history(const std::string& name, std::int64_t step) {
    const CheckpointReader reader(checkpoint_path((folder / name) + "/checkpoints", step));
    const auto& settings = reader.identity().settings;
    const auto found = settings.find(kHistoryKey);
    return found == settings.end() ? "" : found->second;
  }
};

TEST_F(Fork, may_change_what_a_resume_may_not_and_records_it) {
  PretrainOptions first = options(4);
  first.trainer.identity.settings["rate"] = "1";
  first.trainer.keep.newest = 9;
  (void)pretrain(first, *comm, recorder);
  PretrainOptions lower = fork("lower");
  lower.trainer.identity.settings["rate"] = "0.5";
  EXPECT_EQ(pretrain(lower, *comm, recorder), StopReason::kDone);
  EXPECT_EQ(recorder.runs.back().first_step, 3);
  const std::string entry = "forked at step 2 from " + origin() + ": rate (was 1, is 0.5)";
  EXPECT_EQ(history("lower", 4), entry);
  EXPECT_EQ(recorder.runs.back().departure, entry);
  // In the run's own directory it is refused, with the way out.
  lower.directory = folder / "run";
  EXPECT_THAT(refusal(lower),
              HasSubstr("rate (was 1, is 0.5). To resume, restore these values, or fork the run: "
                        "`--resume " +
                        origin() + "` with a new `run.directory`"));
  // What a fork may not change either.
  PretrainOptions other = fork("other");
  other.trainer.identity.settings["rate"] = "1";
  other.trainer.identity.settings["model"] = "another";
  EXPECT_THAT(refusal(other), HasSubstr("model (was not given, is another). To resume, not even a fork may"));
}

TEST_F(Fork, resumes_from_its_own_checkpoints_by_the_same_command) {
  PretrainOptions first = options(4);
  first.trainer.keep.newest = 9;
  (void)pretrain(first, *comm, recorder);
  (void)pretrain(fork("fork"), *comm, recorder);
  std::filesystem::remove(origin());
  (void)pretrain(fork("fork", 6), *comm, recorder);
  EXPECT_EQ(recorder.runs.back().first_step, 5);
  EXPECT_EQ(history("fork", 6), "forked at step 2 from " + origin());
}

TEST_F(Fork, into_the_directory_of_another_run_is_refused) {
  PretrainOptions first = options(4);
  first.trainer.keep.newest = 9;
  (void)pretrain(first, *comm, recorder);
  first.directory = folder / "second";
  (void)pretrain(first, *comm, recorder);
  EXPECT_THAT(refusal(fork("second")), HasSubstr("second holds another run"));
}

class OtherData : public Pretrain {
 protected:
  PretrainOptions on(const std::string& file, const std::string& content, std::int64_t steps) {
    testing::write_bytes(folder / file, content);
    PretrainOptions all = options(steps);
    all.trainer.identity.settings["data.shards"] = folder / file;
    all.contents["data.shards"] = {folder / file};
    return all;
  }
};

TEST_F(OtherData, under_the_same_name_is_refused_or_accepted_and_recorded) {
  (void)pretrain(on("a.h5", "some text", 2), *comm, recorder);
  EXPECT_THAT(
      refusal(on("a.h5", "same size", 4)),
      ::testing::AllOf(HasSubstr("was trained on other data under the same names: data.shards_content (was "
                                 "1 file, SHA-256 "),
                       HasSubstr("`--accept-new-data`")));
  PretrainOptions accepted = on("a.h5", "same size", 4);
  accepted.accept_new_data = true;
  EXPECT_EQ(refusal(accepted), "");
  const CheckpointReader reader(checkpoint_path((folder / "run/checkpoints"), 4));
  EXPECT_THAT(reader.identity().settings.at(kHistoryKey),
              HasSubstr("other data since step 2: data.shards_content"));
  // The run now is one on these data.
  EXPECT_EQ(refusal(on("a.h5", "same size", 6)), "");
  EXPECT_THAT(
      CheckpointReader(checkpoint_path((folder / "run/checkpoints"), 6)).identity().settings.at(kHistoryKey),
      HasSubstr("other data since step 2"));
}

TEST_F(OtherData, the_same_data_may_be_moved) {
  (void)pretrain(on("a.h5", "some text", 2), *comm, recorder);
  EXPECT_EQ(refusal(on("b.h5", "some text", 4)), "");
}

TEST_F(OtherData, checkpoints_of_older_programs_know_only_paths) {
  PretrainOptions old = on("a.h5", "some text", 2);
  old.contents.clear();
  (void)pretrain(old, *comm, recorder);
  EXPECT_THAT(refusal(on("b.h5", "some text", 4)), HasSubstr("data.shards (was "));
  EXPECT_EQ(refusal(on("a.h5", "other one", 4)), "");
}

TEST(ContentDigest, differs_where_a_byte_of_a_small_file_does_and_not_with_the_name) {
  const testing::TemporaryFolder folder;
  const auto comm = make_solo_comm();
  const auto digest = [&](const std::string& name, const std::string& content) {
    testing::write_bytes(folder / name, content);
    return content_digest(*comm, {folder / name});
  };
  const std::string text(100'000, 'x');
  const std::string one = digest("a", text);
  EXPECT_EQ(one, digest("b", text));
  for (const std::size_t at : {std::size_t{0}, std::size_t{50'000}, std::size_t{99'999}}) {
    std::string other = text;
    other[at] = 'y';
    EXPECT_NE(one, digest("a", other)) << at;
  }
  EXPECT_NE(one, digest("a", text + "x"));
  EXPECT_NE(content_digest(*comm, {folder / "a", folder / "b"}),
            content_digest(*comm, {folder / "b", folder / "a"}));
}

TEST_F(Pretrain, invalid_options_are_refused_before_anything_is_written) {
  PretrainOptions bad = options(2);
  bad.sequence_length = 4000;
  EXPECT_THAT(refusal(bad), HasSubstr("model.max_positions"));
  bad = options(2);
  bad.trainer.schedule.warmup_steps = 3;
  EXPECT_THAT(refusal(bad), HasSubstr("schedule.warmup_steps"));
  bad = options(2);
  bad.trainer.evaluated_weights = EvaluatedWeights::kAveraged;
  EXPECT_THAT(refusal(bad), HasSubstr("`evaluation.weights` is ema, but `training.ema_decay` is 0"));
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
            (Settings{{"a", "was 1, is not given"}, {"c", "was not given, is 3"}}));
}

}  // namespace
}  // namespace nystrom
