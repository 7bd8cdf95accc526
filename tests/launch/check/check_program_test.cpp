// `nystrom check`: what it says is what the start does, and it writes nothing.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <string>
#include <utility>

#include "launch/program_case.h"

namespace nystrom {
namespace {

using ::testing::AllOf;
using testing::expect_refused;
using ::testing::HasSubstr;
using testing::last_line;
using testing::Outcome;
using testing::Program;
using ::testing::StartsWith;

// The files below the folder, with size and time.
std::map<std::string, std::pair<std::uintmax_t, std::filesystem::file_time_type>> files_in(
    const std::string& folder) {
  std::map<std::string, std::pair<std::uintmax_t, std::filesystem::file_time_type>> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    const std::string name = entry.path().filename();
    if (name == "out.txt" || name == "err.txt") continue;  // this test's own
    files[entry.path()] = {entry.is_regular_file() ? entry.file_size() : 0, entry.last_write_time()};
  }
  return files;
}

TEST_F(Program, check_reports_on_a_start_and_writes_nothing) {
  const auto before = files_in(folder_->path());
  const std::string again = "XDG_CACHE_HOME=$PWD $nystrom check run.yaml --json --set run.directory=new";
  const std::string page = run("XDG_CACHE_HOME=$PWD $nystrom check run.yaml --set run.directory=new").out;
  EXPECT_THAT(page, AllOf(StartsWith("`nystrom pretrain` would start a new run in new.\n"),
                          HasSubstr("\nTraining shards: prepared/train, 1 shard, ")));
  EXPECT_LE(std::ranges::count(page, '\n'), 24) << "one screen:\n" << page;
  const Outcome done = run(again + " --set training.micro_batch=2");
  ASSERT_EQ(done.status, 0) << done.err;
  const nlohmann::json json = nlohmann::json::parse(done.out);  // nothing else
  EXPECT_EQ(json["command"], "pretrain");
  EXPECT_EQ(json["state"], "new");
  EXPECT_EQ(json["micro_batch"], 2);
  EXPECT_EQ(json["timed_steps"], 3);
  EXPECT_EQ(json["sequences_per_timed_step"], 2);
  EXPECT_GT(json["seconds_left"], 0);
  EXPECT_GT(json["memory_bytes"]["activations"], 0);
  EXPECT_GT(json["available_memory_bytes"], json["memory_bytes_total"]);
  EXPECT_GT(json["free_disk_bytes"], 0);
  EXPECT_GT(json["shards"]["training"]["documents"], 0);
  EXPECT_EQ(json["shards"]["validation"]["files"], 1);
  EXPECT_GT(json["epochs"]["lines"], 0);

  const Outcome resumed = run("$nystrom check run.yaml --json --steps 0 --set training.steps=6");
  EXPECT_EQ(last_line(resumed)["state"], "resumes");
  EXPECT_THAT(run("$nystrom check run.yaml --steps 0 --set training.steps=6").out,
              StartsWith("`nystrom pretrain` would resume from run/checkpoints/step-00000004.h5, at "
                         "step 5 of 6.\n"));
  EXPECT_FALSE(last_line(resumed).contains("timed_steps"));
  EXPECT_THAT(run("$nystrom check run.yaml").out,
              StartsWith("`nystrom pretrain` would do nothing: run has done all"));
  EXPECT_EQ(files_in(folder_->path()), before);
}

TEST_F(Program, check_takes_the_command_from_the_configuration) {
  const auto before = files_in(folder_->path());
  const std::string prepare = "$nystrom check run.yaml --json --set 'data={shards: [], validation: []}' ";
  const Outcome text = run(prepare + "--set output.directory=unprepared");
  ASSERT_EQ(text.status, 0) << text.err;
  EXPECT_EQ(last_line(text)["output_directory"], "unprepared");
  EXPECT_EQ(last_line(text)["corpus"][0]["files"], 1);
  const Outcome again = run("$nystrom check run.yaml --command prepare");
  EXPECT_THAT(again.out, StartsWith("`nystrom prepare` would do nothing: prepared holds this preparation."));
  expect_refused(run("$nystrom check run.yaml --command prepare --set output.validation_fraction=0.3"),
                 "prepared");
  expect_refused(run("$nystrom check --set seed=3 run.yaml --command evaluate"), "--command");
  expect_refused(run("echo 'seed: 1' > none.yaml; $nystrom check none.yaml; s=$?; rm none.yaml; exit $s"),
                 "fits no command");
  EXPECT_EQ(files_in(folder_->path()), before);
}

TEST_F(Program, check_is_refused_where_the_start_is_with_the_same_sentence) {
  for (const char* set : {"model.heads=3", "data.sequence_length=64", "data.shards=none/*.h5",
                          "run.directory=", "'data.mixture={wrong: 1}'", "model.from=nothing-here",
                          "optimizer.learning_rate=0.5", "schedule.warmup_steps=9", "run.directory=a.txt/run",
                          "training.cuda_graph=true"}) {
    const Outcome start = run(fmt::format("$nystrom pretrain run.yaml --set {}", set));
    const Outcome check = run(fmt::format("$nystrom check run.yaml --command pretrain --set {}", set));
    EXPECT_EQ(check.status, 2) << set << check.out << check.err;
    EXPECT_EQ(check.status, start.status) << set;
    const auto sentence = [](const std::string& text) { return text.substr(text.find("nystrom: ")); };
    EXPECT_EQ(sentence(check.err), sentence(start.err)) << set;
  }
}

TEST_F(Program, check_runs_on_several_ranks) {
  const Outcome done = run(
      "OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 mpirun -n 2 --oversubscribe --bind-to none "
      "$nystrom check run.yaml --json --set run.directory=two --set training.micro_batch=1");
  ASSERT_EQ(done.status, 0) << done.err;
  EXPECT_EQ(last_line(done)["ranks"], 2);
  EXPECT_EQ(last_line(done)["sequences_per_timed_step"], 2);
}

}  // namespace
}  // namespace nystrom
