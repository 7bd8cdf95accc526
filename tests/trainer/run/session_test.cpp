#include "trainer/run/run_session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <fstream>

#include "send_signal.h"
#include "temporary_folder.h"

namespace nystrom {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using namespace std::chrono_literals;

Heartbeat beat_of(int rank, const std::string& phase, double phase_seconds, const std::string& waits_for = "",
                  double wait_seconds = 0) {
  return {.rank = rank,
          .ranks = 3,
          .host = "node" + std::to_string(rank),
          .process = 100 + rank,
          .doing = {.step = 7,
                    .phase = phase,
                    .phase_seconds = phase_seconds,
                    .waits_for = waits_for,
                    .wait_seconds = wait_seconds},
          .written = 1000,
          .every = 1};
}

TEST(Heartbeats, round_trip) {
  const testing::TemporaryFolder folder;
  std::filesystem::create_directories(heartbeat_folder(folder.path()));
  for (const int rank : {2, 0})
    ASSERT_TRUE(write_heartbeat(folder.path(), beat_of(rank, "evaluation", 1.5, "a sum", 0.5)));
  ASSERT_TRUE(write_heartbeat(folder.path(), beat_of(2, "step", 2)));            // overwrites a longer one
  std::ofstream(heartbeat_folder(folder.path()) + "/rank-00009") << "rank=9\n";  // half a file
  const auto beats = read_heartbeats(folder.path());
  ASSERT_EQ(beats.size(), 2U);
  EXPECT_EQ(beats[0].doing.phase, "evaluation");
  EXPECT_EQ(beats[0].doing.waits_for, "a sum");
  EXPECT_EQ(beats[0].doing.wait_seconds, 0.5);
  EXPECT_EQ(beats[1].doing.phase, "step");
  EXPECT_EQ(beats[1].doing.waits_for, "");
  EXPECT_EQ(beats[1].process, 102);
}

TEST(Heartbeats, the_rank_that_others_wait_for_is_named) {
  const auto report =
      job_report({beat_of(0, "forward and backward", 20, "the gradients", 19),
                  beat_of(1, "reading the batch", 21), beat_of(2, "x", 20, "the gradients", 19)},
                 1001);
  EXPECT_THAT(report,
              HasSubstr("Rank 1 on node1 (process 101) has been in `reading the batch` for 22 s, and others "
                        "wait for it in the gradients."));
}

TEST(Heartbeats, silent_rank_is_named_first) {
  auto silent = beat_of(2, "x", 20);
  silent.written = 900;
  const auto report = job_report({beat_of(0, "x", 20, "y", 19), beat_of(1, "z", 21), silent}, 1001);
  EXPECT_THAT(report, HasSubstr("Rank 2 on node2 (process 102) has sent no heartbeat for 101 s"));
}

TEST(Heartbeats, all_ranks_waiting_is_reported_and_busy_ranks_are_not) {
  EXPECT_THAT(job_report({beat_of(0, "x", 20, "y", 19), beat_of(1, "x", 20, "y", 19)}, 1001),
              AllOf(HasSubstr("All ranks wait"), HasSubstr("2 of 3 ranks have left a heartbeat.")));
  EXPECT_THAT(job_report({beat_of(0, "x", 2, "y", 1), beat_of(1, "x", 2), beat_of(2, "x", 2)}, 1001),
              Not(HasSubstr("Rank")));
}

/// The heartbeats of three ranks, of which rank `of` wrote at `written`.
void write_beats(const std::string& directory, int of, double written, double now) {
  std::filesystem::create_directories(heartbeat_folder(directory));
  for (int rank = 0; rank < 3; ++rank) {
    Heartbeat beat = beat_of(rank, "forward and backward", 1);
    beat.written = rank == of ? written : now;
    ASSERT_TRUE(write_heartbeat(directory, beat));
  }
}

TEST(Heartbeats, a_rank_lives_whatever_the_clock_of_its_machine_says) {
  using std::chrono::seconds;
  for (const double ahead : {-43.0, 43.0}) {
    const testing::TemporaryFolder folder;
    JobWatch watch(folder.path());
    const auto start = JobWatch::Clock::now();
    write_beats(folder.path(), 1, 1000 + ahead, 1000);
    EXPECT_FALSE(watch.look(1000, start)) << "it may be dead";
    write_beats(folder.path(), 1, 1001 + ahead, 1001);
    EXPECT_TRUE(watch.look(1001, start + seconds(1)));
    EXPECT_THAT(watch.report(),
                AllOf(Not(HasSubstr("dead")), Not(HasSubstr("silent")),
                      HasSubstr(ahead > 0 ? "The clock of node1 is 43 s ahead of this machine's"
                                          : "The clock of node1 is 43 s behind this machine's")));
  }
}

TEST(Heartbeats, a_rank_is_dead_whatever_the_clock_of_its_machine_says) {
  using std::chrono::seconds;
  for (const double ahead : {-43.0, 43.0}) {
    const testing::TemporaryFolder folder;
    JobWatch watch(folder.path());
    const auto start = JobWatch::Clock::now();
    write_beats(folder.path(), 1, 1000 + ahead, 1000);
    EXPECT_FALSE(watch.look(1000, start));
    write_beats(folder.path(), 1, 1000 + ahead, 1006);
    EXPECT_TRUE(watch.look(1006, start + seconds(6)));
    EXPECT_THAT(watch.report(), HasSubstr("Rank 1 on node1 (process 101) has sent no heartbeat"));
  }
}

TEST(Heartbeats, a_file_of_wild_numbers_is_not_a_heartbeat) {
  const testing::TemporaryFolder folder;
  std::filesystem::create_directories(heartbeat_folder(folder.path()));
  for (const char* text :
       {"rank=4294967296\nranks=4294967297\n", "rank=-1\nranks=2\n", "rank=1e300\nranks=nan\n"})
    std::ofstream(heartbeat_path(folder.path(), 0)) << text << "every=1\n";
  EXPECT_TRUE(read_heartbeats(folder.path()).empty());
  std::ofstream(heartbeat_path(folder.path(), 0)) << "rank=0\nranks=1\nhost=a\x1b[2J\nwritten=0\nevery=nan\n";
  ASSERT_EQ(read_heartbeats(folder.path()).size(), 1U);
  EXPECT_EQ(read_heartbeats(folder.path())[0].host, "a\\x1b[2J");
}

TEST(Heartbeats, directory_without_a_job_is_refused) {
  EXPECT_THROW((void)job_report(std::string("/nowhere")), InputError);
}

TEST(Heartbeats, write_rate_is_bounded_for_any_number_of_ranks) {
  for (const int ranks : {64, 1024, 65536}) EXPECT_LE(ranks / heartbeat_seconds(ranks), 64.0);
}

class Session : public ::testing::Test {
 protected:
  std::string reason_within(const RunSession& session, std::chrono::milliseconds time) {
    const auto end = std::chrono::steady_clock::now() + time;
    while (session.stop_reason().empty() && std::chrono::steady_clock::now() < end)
      std::this_thread::sleep_for(1ms);
    return session.stop_reason();
  }
  testing::TemporaryFolder folder;
  std::string directory = folder / "run";
  std::unique_ptr<Comm> comm = make_solo_comm();
  Observer nobody;
};

TEST_F(Session, writes_a_heartbeat_and_removes_it) {
  {
    RunSession session({.directory = directory}, *comm, nobody);
    comm->set_step(12);
    comm->activity().set_phase("evaluation");
    session.begin();
    std::vector<Heartbeat> beats;
    while (beats.empty()) beats = read_heartbeats(directory);
    EXPECT_EQ(beats[0].doing.step, 12);
    EXPECT_EQ(beats[0].doing.phase, "evaluation");
  }
  EXPECT_FALSE(std::filesystem::exists(directory));
}

TEST_F(Session, a_very_long_limit_is_none) {
  for (const char* text : {"999999d", "1000000000d"}) {
    RunSession session(
        {.directory = directory, .stop_after_seconds = duration_seconds(text, "run.stop_after")}, *comm,
        nobody);
    EXPECT_EQ(session.stop_reason(), "") << text;
  }
}

TEST_F(Session, old_stop_file_is_ignored_and_a_new_one_stops) {
  std::filesystem::create_directories(directory);
  std::ofstream(directory + "/stop") << "old";
  RunSession session({.directory = directory}, *comm, nobody);
  session.begin();
  EXPECT_EQ(reason_within(session, 300ms), "");
  std::ofstream(directory + "/stop") << "new";
  EXPECT_THAT(reason_within(session, 60s), AllOf(HasSubstr("requested by the file "), HasSubstr("run/stop")));
}

TEST_F(Session, time_limit_requests_a_stop) {
  const RunSession session({.directory = directory, .stop_after_seconds = 1e-3}, *comm, nobody);
  EXPECT_THAT(reason_within(session, 60s), HasSubstr("run.stop_after"));
}

TEST_F(Session, signals_before_the_first_step_are_not_lost) {
  const RunSession session({.directory = directory}, *comm, nobody);
  testing::send_signal(SIGUSR1);
  testing::send_signal(SIGTERM);
  const SignalWatch inner;  // the trainer's
  EXPECT_EQ(session.stop_reason(), "requested by a signal");
  EXPECT_TRUE(SignalWatch::take_save_request());
}

TEST_F(Session, sigusr2_requests_a_report) {
  std::mutex mutex;
  std::string said;
  RunSession session({.directory = directory,
                      .report =
                          [&](const std::string& report) {
                            const std::scoped_lock held(mutex);
                            said = report;
                          }},
                     *comm, nobody);
  session.begin();
  testing::send_signal(SIGUSR2);
  const auto end = std::chrono::steady_clock::now() + 60s;
  for (bool there = false; !there && std::chrono::steady_clock::now() < end;) {
    std::this_thread::sleep_for(10ms);
    const std::scoped_lock held(mutex);
    there = !said.empty();
  }
  const std::scoped_lock held(mutex);
  EXPECT_THAT(said, HasSubstr(std::to_string(::getpid())));
}

TEST(Durations, are_parsed) {
  for (const auto& [text, seconds] : std::initializer_list<std::pair<const char*, double>>{
           {"", 0}, {"90", 90}, {"90s", 90}, {"11h45m", 42300}, {"2d12h", 216000}, {"1d2h3m4s", 93784}})
    EXPECT_EQ(duration_seconds(text, "run.stop_after"), seconds) << text;
  for (const char* text : {"h", "11x", "45m11h", "5m5m", "-3s", "1h30", "3.5h", " 1h"}) {
    try {
      (void)duration_seconds(text, "run.stop_after");
      ADD_FAILURE() << text;
    } catch (const InputError& error) {
      EXPECT_THAT(error.what(), HasSubstr("`run.stop_after` is "));
    }
  }
}

}  // namespace
}  // namespace nystrom
