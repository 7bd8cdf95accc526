#pragma once
// Jobs as processes: started, signalled, watched, ended.

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "file_bytes.h"

namespace nystrom::testing {

using namespace std::chrono_literals;

/// The processes whose parent is `parent`.
inline std::vector<pid_t> children_of(pid_t parent) {
  std::vector<pid_t> found;
  std::error_code gone;
  for (const auto& task :
       std::filesystem::directory_iterator("/proc/" + std::to_string(parent) + "/task", gone)) {
    std::istringstream pids(read_bytes(task.path() / "children"));
    for (pid_t pid = 0; pids >> pid;) found.push_back(pid);
  }
  return found;
}

/// A command as a child process in its own process group, its output in a file. Killed with all its
/// children if it still runs at the end.
class Job {
 public:
  /// `fault` is NYSTROM_TEST_FAULT; "" for none.
  Job(std::vector<std::string> command, std::string output, const std::string& fault = "")
      : output_(std::move(output)), start_(std::chrono::steady_clock::now()), pid_(::fork()) {
    if (pid_ != 0) return;
    ::setpgid(0, 0);
    if (fault.empty())
      ::unsetenv("NYSTROM_TEST_FAULT");
    else
      ::setenv("NYSTROM_TEST_FAULT", fault.c_str(), 1);
    ::setenv("OMP_NUM_THREADS", "1", 1);
    ::setenv("OMPI_ALLOW_RUN_AS_ROOT", "1", 1);
    ::setenv("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1", 1);
    const int nowhere = ::open("/dev/null", O_RDWR);
    const int file = ::open(output_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0666);
    ::dup2(nowhere, 0);
    ::dup2(file, 1);
    ::dup2(file, 2);
    std::vector<char*> arguments;
    for (auto& word : command) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    ::execvp(arguments[0], arguments.data());
    ::_exit(127);
  }
  ~Job() {
    if (!status_) kill_all();
  }
  Job(const Job&) = delete;
  Job& operator=(const Job&) = delete;

  /// The exit status (128 + signal for one that was killed) once it has ended within the time.
  std::optional<int> wait_for(std::chrono::milliseconds time) {
    const auto end = std::chrono::steady_clock::now() + time;
    while (!status_) {
      int status = 0;
      if (::waitpid(pid_, &status, WNOHANG) == pid_)
        status_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
      else if (std::chrono::steady_clock::now() > end)
        break;
      else
        std::this_thread::sleep_for(1ms);
    }
    return status_;
  }
  /// -1 where it did not end within a minute and a half.
  int wait() { return wait_for(90s).value_or(-1); }
  [[nodiscard]] double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }
  /// Waits until a file is there, or the job has ended: false then.
  bool wait_for_file(const std::string& path) {
    while (!std::filesystem::exists(path))
      if (wait_for(2ms)) return std::filesystem::exists(path);
    return true;
  }
  void signal(int which) const { ::kill(pid_, which); }
  [[nodiscard]] std::vector<pid_t> ranks() const { return children_of(pid_); }
  /// The launcher and all ranks, at once.
  void kill_all() {
    const auto all = ranks();
    ::kill(pid_, SIGKILL);
    for (const pid_t rank : all) ::kill(rank, SIGKILL);
    (void)wait_for(10s);
  }
  [[nodiscard]] std::string output() const { return read_bytes(output_); }

 private:
  std::string output_;
  std::chrono::steady_clock::time_point start_;
  pid_t pid_;
  std::optional<int> status_;
};

}  // namespace nystrom::testing
