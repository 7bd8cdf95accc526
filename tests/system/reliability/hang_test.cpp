// Ranks that hang, die, or differ: the job ends in time, with a status that is not 0 and a sentence that says
// which rank, where, at which step, in what.

#include "job_case.h"
#include "trainer/run/heartbeat.h"

namespace nystrom {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using testing::Job;
using ::testing::Not;
using namespace std::chrono_literals;

using Faults = testing::JobCase;

constexpr const char* kEvaluating = "validate_every=3";
// A hang that nobody notices lasts until the test's own limit, which is far longer.
constexpr double kSoon = 60;

// A rank that hangs: "rank R on HOST did not take part", the step and the collective.
TEST_F(Faults, hanging_rank_is_named_within_the_timeout) {
  struct {
    const char *fault, *rank, *step;
  } const cases[] = {{"stop:1:step:3", "rank 1", "at step 3 for the label counts"},
                     {"loop:0:step:3", "rank 0", "at step 3 for the label counts"},
                     {"stop:1:evaluation:1", "rank 1", "at step 3 for the sums of the validation losses"},
                     {"stop:0:checkpoint:2", "rank 0", "at step "},
                     {"stop:1:start:0", "rank 1", "for the comparison of the ranks"}};
  for (const auto& each : cases) {
    EXPECT_NE(run(command(3, each.fault, {"timeout=2", kEvaluating}), each.fault), 0) << each.fault;
    EXPECT_THAT(said, HasSubstr(each.step)) << each.fault;
    EXPECT_THAT(said, ContainsRegex(std::string(each.rank) + " on [^ ]+ did not take part")) << each.fault;
    EXPECT_LT(seconds, kSoon) << each.fault;
  }
}

TEST_F(Faults, rank_that_hangs_before_mpi_init_is_reported) {
  EXPECT_NE(run(command(2, "run", {"timeout=2"}), "stop:1:begin:0"), 0);
  EXPECT_THAT(said, HasSubstr("This rank waited 2 s in MPI's start for the others"));
  EXPECT_LT(seconds, kSoon);
}

TEST_F(Faults, rank_that_hangs_before_mpi_finalize_is_reported) {
  EXPECT_NE(run(command(2, "run", {"timeout=2", "steps=2"}), "stop:1:end:0"), 0);
  EXPECT_THAT(said, HasSubstr("This rank waited 2 s in MPI's end for the others"));
}

TEST_F(Faults, slow_rank_is_waited_for_until_the_timeout) {
  EXPECT_EQ(run(command(2, "patient", {"timeout=30"}), "slow:1:step:3"), 0) << said;
  EXPECT_NE(run(command(2, "impatient", {"timeout=2"}), "slow:1:step:3"), 0);
  EXPECT_THAT(said, HasSubstr("at step 3 for the label counts"));
  EXPECT_THAT(said, ContainsRegex("rank 1 on [^ ]+ did not take part"));
}

TEST_F(Faults, rank_that_hangs_during_a_write_costs_no_checkpoint) {
  ASSERT_EQ(run(command(3, "straight")), 0) << said;
  EXPECT_NE(run(command(3, "run", {"timeout=2", "slow_save_ms=1000"}), "stop:1:step:3"), 0);
  EXPECT_THAT(said, ContainsRegex("rank 1 on [^ ]+ did not take part"));
  EXPECT_LT(seconds, kSoon);
  EXPECT_THAT(find_newest_checkpoint((folder / "run") + "/checkpoints").warnings, ::testing::IsEmpty());
  ASSERT_EQ(run(command(3, "run")), 0) << said;
  testing::expect_same_end(folder / "straight", folder / "run", 8);
}

// The thread that writes cannot be waited for: neither by the other ranks nor by rank 0's own end.
TEST_F(Faults, hanging_disk_ends_the_job_with_a_message) {
  const Words alone{NYSTROM_PLANTED_JOB, folder / "alone", "timeout=2"};
  for (const Words& words : {command(3, "three", {"timeout=2"}), alone}) {
    EXPECT_EQ(run(words, "loop:0:checkpoint:4"), 1) << said;
    EXPECT_THAT(
        said,
        ContainsRegex(
            "The checkpoint that rank 0[^/]* is writing to .*/checkpoints has made no progress for 2 s: the "
            "disk or its file server hangs"));
    EXPECT_LT(seconds, kSoon);
  }
  EXPECT_TRUE(std::filesystem::exists(checkpoint("three", 2)));
  EXPECT_FALSE(std::filesystem::exists(checkpoint("three", 4)));
}

// Open MPI's handler would print a stack first, which takes memory: with a corrupt heap it may wait forever.
TEST_F(Faults, crash_ends_the_job) {
  EXPECT_NE(run(command(2, "run"), "crash:1:step:3"), 0);
  EXPECT_THAT(said, HasSubstr("signal 6"));
  EXPECT_THAT(said, Not(HasSubstr("Process received signal")));
  EXPECT_LT(seconds, kSoon);
}

TEST_F(Faults, dying_rank_ends_the_job_within_seconds_at_any_point) {
  for (const char* fault :
       {"kill:1:begin:0", "kill:1:start:0", "kill:1:step:3", "kill:0:step:3", "kill:0:checkpoint:2",
        "kill:1:evaluation:1", "exit:1:step:3", "throw:1:step:3"}) {
    EXPECT_NE(run(command(3, fault, {kEvaluating}), fault), 0) << fault;
    EXPECT_LT(seconds, kSoon) << fault << "\n" << said;
    EXPECT_FALSE(said.empty()) << fault;
  }
}

TEST_F(Faults, exception_of_a_rank_is_printed_with_its_number) {
  EXPECT_NE(run(command(3, "run"), "throw:2:step:3"), 0);
  EXPECT_THAT(said, HasSubstr("rank 2: a fault was planted here."));
}

TEST_F(Faults, mismatched_program_configuration_or_file_is_named) {
  const std::string other = folder / "other_program";
  std::filesystem::copy_file(NYSTROM_PLANTED_JOB, other);
  std::ofstream(other, std::ios::app | std::ios::binary) << '\0';
  for (const char* name : {"a.h5", "b.h5"}) std::ofstream(folder / name) << name;
  // Not "COMMAND : COMMAND": the mpirun of Open MPI 5.0.7 (Debian 13) crashes on that.
  const auto two = [&](const std::string& program, const std::string& first, const std::string& second) {
    return run(
        {NYSTROM_MPIRUN, "--oversubscribe", "--bind-to", "none", "-n", "2", "/bin/sh", "-c",
         fmt::format("if [ $OMPI_COMM_WORLD_RANK = 0 ]; then exec {0} {1} {2}; else exec {3} {1} {4}; fi",
                     NYSTROM_PLANTED_JOB, folder / "run", first, program, second)});
  };
  EXPECT_NE(two(other, "", ""), 0);
  EXPECT_THAT(said, ContainsRegex("Rank 1 on [^ ]+ does not have the program of rank 0"));
  EXPECT_NE(two(NYSTROM_PLANTED_JOB, "seed=3", "seed=4"), 0);
  EXPECT_THAT(said, ContainsRegex(
                        "Rank 1 on [^ ]+ does not have the configuration of rank 0: seed is 4 there and 3"));
  EXPECT_NE(two(NYSTROM_PLANTED_JOB, "files=" + (folder / "a.h5"), "files=" + (folder / "b.h5")), 0);
  EXPECT_THAT(said,
              ContainsRegex("Rank 1 on [^ ]+ does not have the files of rank 0: [^ ]*a.h5 is missing there"));
  EXPECT_FALSE(std::filesystem::exists(folder / "run"));  // nothing was begun
}

TEST_F(Faults, rank_whose_weights_drift_is_named) {
  EXPECT_NE(run(command(3, "run", {"check_every=2", "save_every=100"}), "flip:2:step:3"), 0);
  EXPECT_THAT(said, ContainsRegex("At step 3 the ranks no longer have the same weights and optimizer state: "
                                  "Rank 2 on [^ ]+ drifted"));
}

TEST_F(Faults, non_finite_gradient_is_named_by_its_tensor) {
  EXPECT_NE(run(command(2, "run"), "nan:1:step:3"), 0);
  EXPECT_THAT(said, ContainsRegex("At step 3 the gradient of [a-z]+[^ ]+ is not finite"));
}

TEST_F(Faults, heartbeats_name_the_rank_that_others_wait_for) {
  Job job(command(3, "run", {"timeout=60", kEvaluating}), output(), "stop:1:step:3");
  ASSERT_TRUE(job.wait_for_file(checkpoint("run", 2))) << job.output();
  std::string report;
  const auto end = std::chrono::steady_clock::now() + 60s;
  while (report.find("no heartbeat for") == std::string::npos && std::chrono::steady_clock::now() < end) {
    std::this_thread::sleep_for(200ms);
    report = job_report(read_heartbeats(folder / "run"), unix_seconds());
  }
  EXPECT_THAT(report, ContainsRegex("Rank 1 on [^ ]+ \\(process [0-9]+\\) has sent no heartbeat for"));
  EXPECT_THAT(report, HasSubstr("waits for the label counts"));
}

TEST_F(Faults, sigusr2_to_the_launcher_prints_the_report) {
  Job job(script(2, "run", {"timeout=60"}), output(), "loop:1:step:3");
  ASSERT_TRUE(job.wait_for_file(checkpoint("run", 2))) << job.output();
  std::this_thread::sleep_for(500ms);
  job.signal(SIGUSR2);
  const auto end = std::chrono::steady_clock::now() + 60s;
  while (job.output().find("reading the batch\n") == std::string::npos &&
         std::chrono::steady_clock::now() < end)
    std::this_thread::sleep_for(50ms);
  EXPECT_THAT(job.output(), ContainsRegex(" 1  [^ ]+ +[0-9]+ +3 +[0-9.]+  reading the batch\n"));
  EXPECT_THAT(job.output(), HasSubstr("reading the batch, waits for the label counts"));
  job.signal(SIGTERM);
  job.signal(SIGTERM);
}

}  // namespace
}  // namespace nystrom
