#include "kernels/tensor/thread_team.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <numeric>
#include <thread>
#include <vector>

#include "kernels/core/processors.h"

namespace nystrom {
namespace {

using namespace std::chrono_literals;
constexpr auto kPatience = 20s;  // of a busy machine

cpu_set_t allowed() {
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  ::sched_getaffinity(0, sizeof(cpus), &cpus);
  return cpus;
}

bool same(const cpu_set_t& a, const cpu_set_t& b) {
  return CPU_EQUAL(&a, &b) != 0;
}

/// A team of two, which share the core where there is one alone.
class Team : public ::testing::Test {
 protected:
  static std::vector<cpu_set_t> cores() {
    const std::vector<int> cpus = available_processors().cpus();
    std::vector<cpu_set_t> sets(2);
    for (std::size_t i = 0; i < sets.size(); ++i) {
      CPU_ZERO(&sets[i]);
      CPU_SET(static_cast<std::size_t>(cpus[std::min(i, cpus.size() - 1)]), &sets[i]);
    }
    return sets;
  }
  Team() { team_.enter(); }
  ~Team() override { team_.leave(all_); }

  /// Waits, off its core, until the thread's CPUs are others than these.
  static bool is_moved_from(const cpu_set_t& home) {
    const auto end = std::chrono::steady_clock::now() + kPatience;
    while (same(allowed(), home) && std::chrono::steady_clock::now() < end) std::this_thread::sleep_for(1ms);
    return !same(allowed(), home);
  }
  void skip_on_one_core() const {
    if (same(cores_[0], cores_[1])) GTEST_SKIP() << "This process may use one CPU.";
  }

  const cpu_set_t all_ = allowed();
  const std::vector<cpu_set_t> cores_ = cores();
  ThreadTeam team_{cores_};
};

TEST_F(Team, computes_each_chunk_once) {
  for (const std::int64_t chunks : {0, 1, 2, 3, 1000, 65535, 65536, 200001}) {
    std::vector<std::atomic<int>> times(static_cast<std::size_t>(chunks));
    team_.run(chunks, [&](std::int64_t chunk, int thread) {
      EXPECT_TRUE(thread == 0 || thread == 1);
      ++times[static_cast<std::size_t>(chunk)];
    });
    for (const auto& count : times) ASSERT_EQ(count, 1) << "of " << chunks;
  }
}

TEST_F(Team, computes_one_job_after_another_also_after_pauses) {
  std::vector<std::int64_t> values(64);
  for (int job = 0; job < 20000; ++job) {
    team_.run(64, [&](std::int64_t chunk, int) { values[static_cast<std::size_t>(chunk)] += chunk + job; });
    if (job % 1000 == 0) std::this_thread::sleep_for(1ms);  // the others sleep
  }
  for (std::int64_t i = 0; i < 64; ++i)
    EXPECT_EQ(values[static_cast<std::size_t>(i)], 20000 * i + 20000 * 19999 / 2);
}

TEST_F(Team, gives_its_core_to_a_thread_that_waits_for_one) {
  skip_on_one_core();
  std::atomic<bool> moved = false;
  std::atomic<int> begun = 0;
  team_.run(2, [&](std::int64_t, int thread) {
    for (++begun; begun < 2;) std::this_thread::yield();
    if (thread == 1) moved = is_moved_from(cores_[1]);  // asleep, as it would be without a core
  });
  EXPECT_TRUE(moved);
  begun = 0;
  cpu_set_t of_job[2];
  team_.run(2, [&](std::int64_t, int thread) {
    for (++begun; begun < 2;) std::this_thread::yield();
    of_job[thread] = allowed();
    for (++begun; begun < 4;) std::this_thread::yield();
  });
  // Which core is whose may have changed, where the first thread had to wait between the jobs.
  EXPECT_FALSE(same(of_job[0], of_job[1])) << "and has its own one in the next job";
}

TEST_F(Team, moves_the_calling_thread_to_a_core_that_is_free) {
  skip_on_one_core();
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (same(allowed(), cores_[0]) && std::chrono::steady_clock::now() < end) {
    team_.run(2, [](std::int64_t, int) {});
    std::this_thread::sleep_for(2ms);  // without a core
  }
  EXPECT_TRUE(same(allowed(), cores_[1]));
  team_.leave(all_);
  EXPECT_TRUE(same(allowed(), all_));
  std::this_thread::sleep_for(2ms);
  EXPECT_TRUE(same(allowed(), all_)) << "nobody moves it after that";
}

}  // namespace
}  // namespace nystrom
