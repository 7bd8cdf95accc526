// Jobs that are asked to stop, in each way, at each moment, once or twice: what comes after is what would
// have come without. And two jobs in one directory.

#include "job_case.h"

namespace nystrom {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using testing::Job;
using namespace std::chrono_literals;

const std::vector<std::string> kSlow{"steps=30", "delay_ms=40", "save_every=10"};

class Stop : public testing::JobCase {
 protected:
  void SetUp() override { ASSERT_EQ(run(command(2, "straight", kSlow)), 0) << said; }
  /// Resumes to the end and compares.
  void expect_to_go_on(const std::string& directory) {
    ASSERT_EQ(run(command(2, directory, kSlow)), 0) << said;
    testing::expect_same_end(folder / "straight", folder / directory, 30);
  }
  /// The number of the newest checkpoint.
  std::int64_t newest(const std::string& directory) {
    const auto found = find_newest_checkpoint((folder / directory) + "/checkpoints");
    return found.path ? CheckpointReader(*found.path, false).state().step : 0;
  }
};

TEST_F(Stop, signal_to_one_or_all_ranks_saves_and_stops) {
  for (const int which : {SIGTERM, SIGINT, SIGXCPU})
    for (const bool all : {false, true}) {
      const std::string name = std::to_string(which) + (all ? "-all" : "-one");
      Job job(command(2, name, kSlow), output());
      ASSERT_TRUE(job.wait_for_file(folder / name + "/metrics.jsonl")) << job.output();
      std::this_thread::sleep_for(100ms);
      const auto ranks = job.ranks();
      ASSERT_EQ(ranks.size(), 2U) << job.output();
      for (const pid_t rank : ranks)
        if (all || rank == ranks[1]) ::kill(rank, which);
      EXPECT_EQ(job.wait(), 3) << name << job.output();
      EXPECT_THAT(job.output(), ContainsRegex("stopping after step [0-9]+: requested by a signal"));
      const std::int64_t step = newest(name);
      EXPECT_GT(step, 0);
      EXPECT_LT(step, 30);
    }
  expect_to_go_on(std::to_string(SIGTERM) + "-one");
}

TEST_F(Stop, launch_script_forwards_signals) {
  Job job(script(2, "run", kSlow), output());
  ASSERT_TRUE(job.wait_for_file(folder / "run/metrics.jsonl"));
  job.signal(SIGUSR1);
  const auto end = std::chrono::steady_clock::now() + 60s;
  while (newest("run") == 0 && std::chrono::steady_clock::now() < end) std::this_thread::sleep_for(2ms);
  EXPECT_GT(newest("run"), 0) << job.output();  // saved, and resumes
  job.signal(SIGTERM);
  EXPECT_EQ(job.wait(), 3) << job.output();
  expect_to_go_on("run");
}

TEST_F(Stop, repeated_stop_requests_lose_nothing) {
  auto slow_save = kSlow;
  slow_save.emplace_back("slow_save_ms=400");
  Job job(script(2, "run", slow_save), output());
  ASSERT_TRUE(job.wait_for_file(folder / "run/metrics.jsonl"));
  job.signal(SIGTERM);
  std::this_thread::sleep_for(200ms);  // the checkpoint is being written now
  for (const pid_t mpirun : job.ranks())
    for (const pid_t rank : testing::children_of(mpirun)) ::kill(rank, SIGTERM);
  EXPECT_EQ(job.wait(), 3) << job.output();
  EXPECT_GT(newest("run"), 0);
  expect_to_go_on("run");
}

// mpirun itself kills the ranks two seconds after a SIGTERM; what was saved before is whole.
TEST_F(Stop, sigterm_to_mpirun_leaves_a_resumable_directory) {
  Job job(command(2, "run", kSlow), output());
  ASSERT_TRUE(job.wait_for_file(checkpoint("run", 10)));
  job.signal(SIGTERM);
  EXPECT_NE(job.wait(), 0);
  expect_to_go_on("run");
}

TEST_F(Stop, stop_file_saves_and_stops_once) {
  Job job(command(2, "run", {"steps=500", "delay_ms=20"}), output());
  ASSERT_TRUE(job.wait_for_file(folder / "run/metrics.jsonl"));
  std::ofstream(folder / "run/stop") << "please\n";
  EXPECT_EQ(job.wait(), 3) << job.output();
  EXPECT_THAT(job.output(), HasSubstr("requested by the file"));
  EXPECT_FALSE(std::filesystem::exists(folder / "run/stop"));
  EXPECT_LT(newest("run"), 500);
}

TEST_F(Stop, time_limit_saves_and_stops) {
  EXPECT_EQ(run(command(2, "run", {"steps=2000", "delay_ms=20", "stop_after=3"})), 3) << said;
  EXPECT_THAT(said, HasSubstr("`run.stop_after` (3 s) has elapsed"));
  EXPECT_GT(newest("run"), 0);
  EXPECT_LT(newest("run"), 2000);
}

TEST_F(Stop, second_job_in_a_directory_is_refused_while_the_first_is_alive) {
  Job first(command(2, "run", kSlow), folder / "first.txt");
  ASSERT_TRUE(first.wait_for_file(folder / "run/metrics.jsonl"));
  // The first must live longer than the second looks.
  for (const pid_t rank : first.ranks()) ::kill(rank, SIGSTOP);
  EXPECT_EQ(run(command(2, "run", kSlow)), 2) << said;
  EXPECT_THAT(said, HasSubstr("is in use by process"));
  for (const pid_t rank : first.ranks()) ::kill(rank, SIGCONT);
  EXPECT_EQ(first.wait(), 0) << first.output();
  testing::expect_same_end(folder / "straight", folder / "run", 30);
}

TEST_F(Stop, lock_of_a_dead_job_is_taken_over_with_a_message) {
  {
    Job first(command(2, "run", kSlow), output());
    ASSERT_TRUE(first.wait_for_file(checkpoint("run", 10)));
    first.kill_all();
  }
  EXPECT_TRUE(std::filesystem::exists(folder / "run/lock"));
  ASSERT_EQ(run(command(2, "run", kSlow)), 0) << said;
  EXPECT_THAT(said, HasSubstr("was left locked by process"));
  testing::expect_same_end(folder / "straight", folder / "run", 30);
}

}  // namespace
}  // namespace nystrom
