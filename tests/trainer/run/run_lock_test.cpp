#include "trainer/run/run_lock.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <iterator>
#include <latch>
#include <thread>

#include "kernels/core/check.h"
#include "temporary_folder.h"

namespace nystrom {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

constexpr LockTimes kQuick{.beat = 20ms, .silence = 400ms, .patience = 150ms, .trust = 0ms};
constexpr LockTimes kEveryBeat{
    .beat = 0ms, .silence = 400ms, .patience = 150ms, .trust = 0ms};  // each beat() writes

class Lock : public ::testing::Test {
 protected:
  std::unique_ptr<RunLock> take(const LockTimes& times = kQuick, bool takeover = false) {
    return std::make_unique<RunLock>(
        directory, [this](const std::string& note) { notes.push_back(note); }, times, takeover);
  }
  std::string refusal() {
    try {
      (void)take();
    } catch (const InputError& error) {
      return error.what();
    }
    return "";
  }
  void write(const std::string& text) const {
    std::filesystem::create_directories(directory);
    std::ofstream(RunLock::path_in(directory)) << text;
  }
  /// As another machine's job would write it.
  static std::string foreign(int beats) {
    return "token=.tmp-0123\nhost=node9\nprocess=77\nstarted=5\nmachine=elsewhere\nsince=yesterday\nbeats=" +
           std::to_string(beats) + "\n";
  }
  [[nodiscard]] bool exists() const { return std::filesystem::exists(RunLock::path_in(directory)); }

  testing::TemporaryFolder folder;
  std::string directory = folder / "run";
  std::vector<std::string> notes;
};

TEST_F(Lock, a_check_reports_a_job_that_it_cannot_inspect) {
  const auto note = [this](const std::string& sentence) { notes.push_back(sentence); };
  write(foreign(0));
  RunLock::check(directory, note);
  ASSERT_EQ(notes.size(), 1U);
  EXPECT_THAT(notes[0],
              AllOf(HasSubstr("process 77 on node9 since yesterday, on another machine: a start waits")));
}

TEST_F(Lock, is_released_with_the_directory_it_created) {
  {
    const auto lock = take();
    EXPECT_TRUE(exists());
  }
  EXPECT_FALSE(std::filesystem::exists(directory));
  EXPECT_TRUE(notes.empty());
}

TEST_F(Lock, held_by_a_live_job_names_host_and_process) {
  const auto lock = take();
  EXPECT_THAT(refusal(), HasSubstr("is in use by process " + std::to_string(::getpid()) + " on "));
  EXPECT_NO_THROW(lock->check());
}

TEST_F(Lock, held_by_a_dead_local_process_is_taken_over_at_once) {
  const pid_t child = ::fork();
  if (child == 0) {
    const auto lock = take();
    ::_exit(0);  // without giving it back
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_TRUE(exists());
  const auto lock = take();
  ASSERT_EQ(notes.size(), 1U);
  EXPECT_THAT(notes[0], HasSubstr("was left locked by process " + std::to_string(child)));
}

TEST_F(Lock, held_by_a_reused_process_id_is_taken_over) {
  auto text = [&] {
    const auto lock = take();
    std::ifstream file(RunLock::path_in(directory));
    return std::string(std::istreambuf_iterator<char>(file), {});
  }();
  const auto at = text.find("started=");
  text.insert(at + 8, "1");  // this process's number, but another start
  write(text);
  EXPECT_NO_THROW((void)take());
}

TEST_F(Lock, held_by_a_silent_remote_job_is_taken_over_after_the_timeout) {
  write(foreign(1));
  const auto start = std::chrono::steady_clock::now();
  const auto lock = take();
  EXPECT_GE(std::chrono::steady_clock::now() - start, kQuick.silence);
  ASSERT_EQ(notes.size(), 2U);
  EXPECT_THAT(notes[0], HasSubstr("is locked by process 77 on node9 since yesterday"));
  EXPECT_THAT(notes[1], HasSubstr("was left locked by process 77 on node9"));
}

TEST_F(Lock, held_by_a_live_remote_job_is_refused) {
  write(foreign(1));
  std::jthread beating([this](const std::stop_token& stop) {
    for (int beat = 2; !stop.stop_requested(); ++beat) {
      std::this_thread::sleep_for(50ms);
      const std::string other = folder / "other";
      std::ofstream(other) << foreign(beat);
      std::filesystem::rename(other, RunLock::path_in(directory));
    }
  });
  EXPECT_THAT(refusal(), HasSubstr("is in use by process 77 on node9"));
}

TEST_F(Lock, with_invalid_content_is_taken_over_after_the_timeout) {
  write("");
  EXPECT_NO_THROW((void)take());
}

TEST_F(Lock, lost_to_another_job_is_detected) {
  const auto lock = take(kEveryBeat);
  write(foreign(1));
  lock->beat();
  try {
    lock->check();
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("was taken over by process 77 on node9"));
  }
}

TEST_F(Lock, lost_to_another_job_is_noticed_before_the_next_write) {
  const auto lock = take();  // whose next heartbeat is due later
  lock->confirm();
  write(foreign(1));
  EXPECT_NO_THROW(lock->check());
  EXPECT_THROW(lock->confirm(), Error);
  EXPECT_THROW(lock->check(), Error);
}

TEST_F(Lock, is_not_read_for_each_write) {
  const auto lock = take({.beat = 1h, .silence = 400ms, .patience = 150ms, .trust = 1h});
  write(foreign(1));
  EXPECT_NO_THROW(lock->confirm());
}

TEST_F(Lock, a_late_heartbeat_does_not_reach_the_lock_of_another_job) {
  const auto lock = take(kEveryBeat);
  const std::string other = folder / "other";
  std::ofstream(other) << foreign(1);
  std::filesystem::rename(other, RunLock::path_in(directory));
  lock->beat();
  std::ifstream file(RunLock::path_in(directory));
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), foreign(1));
}

TEST_F(Lock, of_a_live_job_is_taken_over_on_demand) {
  const auto first = take();
  const auto second = take(kQuick, true);
  EXPECT_THAT(notes.back(),
              HasSubstr("which may be alive; this job takes the lock over, since `--takeover` is given"));
  EXPECT_TRUE(second->owner_may_write());
  EXPECT_THROW(first->confirm(), Error);
  EXPECT_NO_THROW(second->confirm());
}

TEST_F(Lock, of_a_dead_process_leaves_nobody_who_may_write) {
  const pid_t child = ::fork();
  if (child == 0) {
    const auto lock = take();
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_FALSE(take()->owner_may_write());
}

TEST_F(Lock, that_cannot_be_read_counts_as_alive) {
  if (::geteuid() == 0) GTEST_SKIP() << "root reads everything.";
  write(foreign(1));
  std::filesystem::permissions(RunLock::path_in(directory), std::filesystem::perms::none);
  EXPECT_THAT(refusal(), AllOf(HasSubstr("cannot be read (Permission denied)"), HasSubstr("`--takeover`")));
  EXPECT_NO_THROW((void)take(kQuick, true));
}

TEST_F(Lock, of_a_process_that_cannot_be_inspected_counts_as_alive) {
  auto text = [&] {
    const auto lock = take();
    std::ifstream file(RunLock::path_in(directory));
    return std::string(std::istreambuf_iterator<char>(file), {});
  }();
  const auto at = text.find("started=") + 8;
  text.replace(at, text.find('\n', at) - at, "0");  // as where /proc does not show it
  write(text);
  EXPECT_THAT(refusal(), AllOf(HasSubstr("whose process this system hides"), HasSubstr("`--takeover`")));
}

TEST_F(Lock, heartbeat_updates_the_file) {
  const auto lock = take(kEveryBeat);
  const auto text = [&] {
    std::ifstream file(RunLock::path_in(directory));
    return std::string(std::istreambuf_iterator<char>(file), {});
  };
  const std::string before = text();
  lock->beat();
  EXPECT_NE(text(), before);
  EXPECT_EQ(text().size(), before.size());
}

TEST_F(Lock, of_a_dead_job_is_taken_over_by_exactly_one) {
  write(foreign(1));
  constexpr int kJobs = 8;
  std::atomic<int> taken{0}, refused{0};
  std::latch decided(kJobs), end(1);
  {
    std::vector<std::jthread> jobs;
    for (int i = 0; i < kJobs; ++i)
      jobs.emplace_back([&] {
        try {
          const RunLock lock(
              directory, [](const std::string&) {}, kQuick);
          ++taken;
          decided.count_down();
          end.wait();
        } catch (const InputError&) {
          ++refused;
          decided.count_down();
        }
      });
    decided.wait();
    EXPECT_EQ(taken, 1);
    EXPECT_EQ(refused, kJobs - 1);
    end.count_down();
  }
}

TEST_F(Lock, in_a_directory_that_cannot_be_created_is_refused) {
  std::ofstream(folder / "file") << "x";
  directory = folder / "file/run";
  EXPECT_THAT(refusal(), HasSubstr("cannot be created"));
}

}  // namespace
}  // namespace nystrom
