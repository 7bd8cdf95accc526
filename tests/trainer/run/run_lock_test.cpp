#include "trainer/run/run_lock.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <iterator>
#include <thread>

#include "kernels/core/check.h"
#include "temporary_folder.h"

namespace nystrom {
namespace {

using ::testing::HasSubstr;
using namespace std::chrono_literals;

constexpr LockTimes kQuick{.beat = 20ms, .silence = 400ms, .patience = 150ms};

class Lock : public ::testing::Test {
 protected:
  std::unique_ptr<RunLock> take() {
    return std::make_unique<RunLock>(
        directory, [this](const std::string& note) { notes.push_back(note); }, kQuick);
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

TEST_F(Lock, is_taken_and_given_back_with_the_folder_it_made) {
  {
    const auto lock = take();
    EXPECT_TRUE(exists());
  }
  EXPECT_FALSE(std::filesystem::exists(directory));
  EXPECT_TRUE(notes.empty());
}

TEST_F(Lock, of_a_living_job_is_refused_with_host_and_process) {
  const auto lock = take();
  EXPECT_THAT(refusal(), HasSubstr("is in use by process " + std::to_string(::getpid()) + " on "));
  EXPECT_NO_THROW(lock->check());
}

TEST_F(Lock, of_a_dead_process_of_this_machine_is_taken_over_at_once) {
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

TEST_F(Lock, of_a_process_number_that_was_used_again_is_taken_over) {
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

TEST_F(Lock, of_another_machine_that_does_not_beat_is_taken_over_after_a_while) {
  write(foreign(1));
  const auto start = std::chrono::steady_clock::now();
  const auto lock = take();
  EXPECT_GE(std::chrono::steady_clock::now() - start, kQuick.silence);
  ASSERT_EQ(notes.size(), 2U);
  EXPECT_THAT(notes[0], HasSubstr("is locked by process 77 on node9 since yesterday"));
  EXPECT_THAT(notes[1], HasSubstr("was left locked by process 77 on node9"));
}

TEST_F(Lock, of_another_machine_that_beats_is_refused) {
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

TEST_F(Lock, of_no_meaning_is_taken_over_after_a_while) {
  write("");
  EXPECT_NO_THROW((void)take());
}

TEST_F(Lock, that_was_lost_is_noticed) {
  const auto lock = take();
  write(foreign(1));
  std::this_thread::sleep_for(2 * kQuick.beat);
  lock->beat();
  try {
    lock->check();
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("was lost to process 77 on node9"));
  }
}

TEST_F(Lock, beats_while_it_is_held) {
  const auto lock = take();
  const auto text = [&] {
    std::ifstream file(RunLock::path_in(directory));
    return std::string(std::istreambuf_iterator<char>(file), {});
  };
  const std::string before = text();
  std::this_thread::sleep_for(2 * kQuick.beat);
  lock->beat();
  EXPECT_NE(text(), before);
  EXPECT_EQ(text().size(), before.size());
}

TEST_F(Lock, of_a_dead_job_goes_to_one_of_many) {
  write(foreign(1));
  std::atomic<int> taken{0}, refused{0};
  std::atomic<bool> end{false};
  {
    std::vector<std::jthread> jobs;
    for (int i = 0; i < 8; ++i)
      jobs.emplace_back([&] {
        try {
          const RunLock lock(
              directory, [](const std::string&) {}, kQuick);
          ++taken;
          while (!end) std::this_thread::sleep_for(1ms);
        } catch (const InputError&) {
          ++refused;
        }
      });
    while (taken + refused < 8) std::this_thread::sleep_for(1ms);
    EXPECT_EQ(taken, 1);
    end = true;
  }
}

TEST_F(Lock, in_a_folder_that_cannot_be_made_is_refused) {
  std::ofstream(folder / "file") << "x";
  directory = folder / "file/run";
  EXPECT_THAT(refusal(), HasSubstr("cannot be made"));
}

}  // namespace
}  // namespace nystrom
