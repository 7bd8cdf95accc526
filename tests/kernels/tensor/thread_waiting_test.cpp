// That threads of this program, which is linked as `nystrom` is, sleep soon when they wait.

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <limits>
#include <optional>
#include <string>
#include <thread>

#include "kernels/tensor/context.h"

namespace nystrom {
namespace {

/// Sets a variable, or removes it, for as long as this lives.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) {
    if (const char* before = ::secure_getenv(name)) before_ = before;  // not this program's getenv
    set(value);
  }
  ~Variable() { set(before_ ? before_->c_str() : nullptr); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  void set(const char* value) {
    if (value != nullptr)
      ::setenv(name_, value, 1);
    else
      ::unsetenv(name_);
  }

  const char* name_;
  std::optional<std::string> before_;
};

std::string spins() {
  const char* value = std::getenv("GOMP_SPINCOUNT");
  return value == nullptr ? "none" : value;
}

TEST(ThreadWaiting, spinning_is_short_unless_the_environment_says_otherwise) {
  const Variable no_count("GOMP_SPINCOUNT", nullptr), no_policy("OMP_WAIT_POLICY", nullptr);
  EXPECT_EQ(spins(), "4000");
  {
    const Variable policy("OMP_WAIT_POLICY", "active");
    EXPECT_EQ(spins(), "none") << "the policy decides";
  }
  const Variable count("GOMP_SPINCOUNT", "7");
  EXPECT_EQ(spins(), "7");
}

TEST(ThreadWaiting, other_variables_are_the_environments) {
  const Variable given("NYSTROM_TEST_VARIABLE", "a value");
  EXPECT_STREQ(std::getenv("NYSTROM_TEST_VARIABLE"), "a value");
  EXPECT_EQ(std::getenv("NYSTROM_TEST_VARIABLE_"), nullptr);
  EXPECT_STREQ(std::getenv("PATH"), ::secure_getenv("PATH"));
}

double cpu_milliseconds() {
  timespec time{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return 1e3 * static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_nsec);
}

// CPU time of this process. Without this program's getenv it is 3 to 15 ms a round; other work on the machine
// lengthens some rounds, not all.
TEST(ThreadWaiting, an_idle_thread_uses_no_cpu_time) {
  if (::secure_getenv("OMP_WAIT_POLICY") != nullptr || ::secure_getenv("GOMP_SPINCOUNT") != nullptr)
    GTEST_SKIP() << "The environment says how threads wait.";
  constexpr int kRounds = 10;
  Context context(2);
  double least = std::numeric_limits<double>::infinity();
  for (int round = 0; round < kRounds; ++round) {
    parallel_for(context, 2, 1, [](std::int64_t, std::int64_t) {});
    const double before = cpu_milliseconds();
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    least = std::min(least, cpu_milliseconds() - before);
  }
  EXPECT_LT(least, 0.5);
}

// A thread that holds a turn or a lock, or is due at a barrier, keeps the others for as long as the machine
// keeps it: parallel loops end in the only barrier that there is.
TEST(ThreadWaiting, no_directive_makes_threads_wait_within_a_loop) {
  int directives = 0;
  for (const char* folder : {"kernels", "model", "data", "trainer", "launch"})
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
      std::ifstream file(entry.path());
      for (std::string line; entry.is_regular_file() && std::getline(file, line);) {
        if (line.find_first_not_of(' ') != line.find("#pragma omp ")) continue;
        ++directives;
        for (const char* word : {"ordered", "critical", "barrier", "single", "atomic", "taskwait", "flush"})
          EXPECT_EQ(line.find(word), std::string::npos) << entry.path() << ": " << line;
      }
    }
  EXPECT_GT(directives, 30) << "in the source tree?";
}

}  // namespace
}  // namespace nystrom
