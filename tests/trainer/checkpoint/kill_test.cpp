// Processes killed at random moments and started again end as if they had never been killed.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <sstream>
#include <thread>

#include "file_bytes.h"
#include "kernels/core/json.h"
#include "temporary_folder.h"
#include "trainer/checkpoint/checkpoint.h"

namespace nystrom {
namespace {

constexpr int kSteps = 30;

/// A child process with its own process group; its output is dropped.
class Child {
 public:
  explicit Child(std::vector<std::string> command) : pid_(::fork()) {
    if (pid_ != 0) return;
    ::setpgid(0, 0);
    const int nowhere = ::open("/dev/null", O_RDWR);
    for (const int file : {0, 1, 2}) ::dup2(nowhere, file);
    std::vector<char*> arguments;
    for (auto& word : command) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    ::execvp(arguments[0], arguments.data());
    ::_exit(127);
  }
  /// The exit status once it has ended within the time; nothing before. A killed child gives -1.
  std::optional<int> wait_for(std::chrono::milliseconds time) const {
    const auto end = std::chrono::steady_clock::now() + time;
    int status = 0;
    do {
      if (::waitpid(pid_, &status, WNOHANG) == pid_) return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    } while (std::chrono::steady_clock::now() < end);
    return std::nullopt;
  }
  int wait() const {
    int status = 0;
    ::waitpid(pid_, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  void kill() const { ::kill(pid_, SIGKILL); }
  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  pid_t pid_;
};

/// The processes whose parent is `parent`.
std::vector<pid_t> children_of(pid_t parent) {
  std::vector<pid_t> found;
  for (const auto& task : std::filesystem::directory_iterator("/proc/" + std::to_string(parent) + "/task")) {
    std::istringstream pids(testing::read_bytes(task.path() / "children"));
    for (pid_t pid = 0; pids >> pid;) found.push_back(pid);
  }
  return found;
}

std::vector<std::string> job(int ranks, const std::string& directory) {
  const std::string steps = std::to_string(kSteps);
  if (ranks == 1) return {NYSTROM_TOY_JOB, directory, steps};
  return {NYSTROM_MPIRUN,        "--oversubscribe", "--bind-to", "none", "-n",
          std::to_string(ranks), NYSTROM_TOY_JOB,   directory,   steps};
}

std::vector<nlohmann::json> metrics_of(const std::string& directory) {
  std::vector<nlohmann::json> lines;
  std::istringstream text(testing::read_bytes(directory + "/metrics.jsonl"));
  for (std::string line; std::getline(text, line);) {
    lines.push_back(parse_json<nlohmann::json>(line));
    lines.back().erase("seconds");
    lines.back().erase("tokens_per_second");
  }
  return lines;
}

void expect_same_end(const std::string& a, const std::string& b) {
  const CheckpointReader first(checkpoint_path(a + "/checkpoints", kSteps)),
      second(checkpoint_path(b + "/checkpoints", kSteps));
  for (const auto& tensor : first.tensors())
    EXPECT_EQ(first.read_tensor(tensor.name), second.read_tensor(tensor.name)) << tensor.name;
  EXPECT_EQ(metrics_of(a), metrics_of(b));
  EXPECT_EQ(metrics_of(a).size(), static_cast<std::size_t>(kSteps));
  for (const auto& entry : std::filesystem::recursive_directory_iterator(b))
    EXPECT_EQ(entry.path().string().find(".tmp-"), std::string::npos) << entry.path();
}

class Kill : public ::testing::Test {
 protected:
  void SetUp() override {
    ::setenv("OMP_NUM_THREADS", "1", 1);
    ::setenv("OMPI_ALLOW_RUN_AS_ROOT", "1", 1);
    ::setenv("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1", 1);
    std::filesystem::create_directory(folder / "straight");
  }
  testing::TemporaryFolder folder;
  std::mt19937 random{12345};
};

TEST_F(Kill, process_killed_at_random_resumes_to_the_same_result) {
  const auto start = std::chrono::steady_clock::now();
  ASSERT_EQ(Child(job(1, folder / "straight")).wait(), 0);
  // On a busy machine a run takes longer, and so do the moments; they grow, so that every run gets on at
  // last.
  const auto length =
      std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  std::uniform_real_distribution<double> share(0.02, 0.6);
  // Where the machine was slower before than now, a run may come through unkilled: it does not count.
  int kills = 0;
  for (int attempt = 0; kills < 2 && attempt < 20; ++attempt) {
    kills = 0;
    const std::string directory = folder / ("killed" + std::to_string(attempt));
    for (double growth = 1;; growth *= 1.1) {
      const Child child(job(1, directory));
      const auto moment =
          std::chrono::milliseconds(static_cast<std::int64_t>(length * share(random) * growth));
      const auto status = child.wait_for(moment);
      if (status) {
        ASSERT_EQ(*status, 0);
        break;
      }
      child.kill();
      (void)child.wait();
      ++kills;
    }
    expect_same_end(folder / "straight", directory);
  }
  EXPECT_GE(kills, 2);
}

TEST_F(Kill, two_ranks_resume_after_one_is_killed) {
  ASSERT_EQ(Child(job(2, folder / "straight")).wait(), 0);
  for (const int rank : {0, 1}) {
    const Child child(job(2, folder / "killed"));
    const std::string needed = folder / "killed/checkpoints/step-0000000" + (rank == 0 ? "2" : "8") + ".h5";
    std::optional<int> status;
    while (!std::filesystem::exists(needed) && !status) status = child.wait_for(std::chrono::milliseconds(2));
    const auto ranks = children_of(child.pid());
    if (ranks.size() == 2) ::kill(ranks[static_cast<std::size_t>(rank)], SIGKILL);
    EXPECT_NE(child.wait(), 0) << "the job ended before it could be killed";
  }
  ASSERT_EQ(Child(job(2, folder / "killed")).wait(), 0);
  expect_same_end(folder / "straight", folder / "killed");
}

}  // namespace
}  // namespace nystrom
