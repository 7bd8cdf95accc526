#include "kernels/tensor/bound_threads.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <set>
#include <thread>
#include <vector>

#include "kernels/core/processors.h"

namespace nystrom {
namespace {

/// CPUs that the calling thread may run on.
std::set<int> allowed() {
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  EXPECT_EQ(::sched_getaffinity(0, sizeof(cpus), &cpus), 0);
  std::set<int> found;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
    if (CPU_ISSET(static_cast<std::size_t>(cpu), &cpus)) found.insert(cpu);
  return found;
}

/// What `value` gives on each thread of the context.
template <class Value>
auto on_each_thread(const Context& context, const Value& value) {
  std::vector<decltype(value())> values(static_cast<std::size_t>(context.threads()));
#pragma omp parallel num_threads(context.threads())
  values[static_cast<std::size_t>(omp_get_thread_num())] = value();
  return values;
}

/// What `value` gives on each thread of the context's team, which must wait for one another.
template <class Value>
auto on_each_of_team(const Context& context, const Value& value) {
  const int size = context.team()->size();
  std::vector<decltype(value())> values(static_cast<std::size_t>(size));
  std::atomic<int> begun = 0, done = 0;
  context.team()->run(size, [&](std::int64_t, int thread) {
    for (++begun; begun < size;) std::this_thread::yield();
    values[static_cast<std::size_t>(thread)] = value();
    for (++done; done < size;) std::this_thread::yield();  // or it would lend its core
  });
  return values;
}

class BoundThreadsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"OMP_PROC_BIND", "OMP_PLACES", "GOMP_CPU_AFFINITY"}) ::unsetenv(name);
    if (cores_.size() < 2) GTEST_SKIP() << "This process may use one core.";
  }

  const std::vector<std::vector<int>> cores_ = available_processors().cores;
  const std::set<int> all_ = allowed();
};

TEST_F(BoundThreadsTest, each_thread_has_its_own_core_within_the_scope) {
  Context context(static_cast<int>(cores_.size()));
  const BoundThreads threads(context, true);
  ASSERT_TRUE(threads.binds());
  for (int step = 0; step < 3; ++step) {
    {
      const BoundThreads::Scope bound(threads, context);
      const auto masks = on_each_of_team(context, allowed);
      std::set<std::set<int>> expected;
      for (const auto& core : cores_) expected.emplace(core.begin(), core.end());
      EXPECT_EQ(std::set(masks.begin(), masks.end()), expected);
    }
    EXPECT_EQ(allowed(), all_) << "of the calling thread, between steps";
    std::set<int> of_another;
    std::thread([&] { of_another = allowed(); }).join();
    EXPECT_EQ(of_another, all_) << "of a thread that is started between steps";
  }
}

TEST_F(BoundThreadsTest, nothing_is_bound_where_threads_and_cores_differ) {
  const int cores = static_cast<int>(cores_.size());
  for (const int threads : {1, cores - 1, cores + 1}) {
    if (threads == cores) continue;
    Context context(threads);
    EXPECT_FALSE(BoundThreads(context, true).binds()) << threads;
  }
}

TEST_F(BoundThreadsTest, nothing_is_bound_beside_threads_of_a_library) {
  Context context(static_cast<int>(cores_.size()));
  EXPECT_FALSE(BoundThreads(context, false).binds());
}

TEST_F(BoundThreadsTest, nothing_is_bound_where_the_environment_decides) {
  Context context(static_cast<int>(cores_.size()));
  for (const char* name : {"OMP_PROC_BIND", "OMP_PLACES", "GOMP_CPU_AFFINITY"}) {
    ::setenv(name, "false", 1);
    const BoundThreads threads(context, true);
    EXPECT_FALSE(threads.binds()) << name;
    const BoundThreads::Scope bound(threads, context);
    EXPECT_EQ(context.team(), nullptr);
    EXPECT_EQ(allowed(), all_);
    ::unsetenv(name);
  }
}

// libgomp ends threads that a smaller team leaves out; new ones would begin on the core of the calling
// thread.
TEST(ParallelFor, keeps_its_threads_over_loops_of_few_chunks) {
  Context context(4);
  const auto before = on_each_thread(context, ::gettid);
  parallel_for(context, 2, 1, [](std::int64_t, std::int64_t) {});
  EXPECT_EQ(on_each_thread(context, ::gettid), before);
}

}  // namespace
}  // namespace nystrom
