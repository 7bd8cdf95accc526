#include "data/hdf5/child_check.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <exception>
#include <filesystem>
#include <fstream>
#include <new>

#include "kernels/core/check.h"
#include "kernels/core/stage.h"

namespace nystrom {
namespace {

// Messages of the child: kFile before each file, then perhaps one kRefused with the sentence that follows.
constexpr char kFile = 'f', kRefused = 'r';
constexpr double kBytesASecond = 16 << 20;
// A CPU that is shared and a slow disk are no fault of a file: of CPU time it has so many seconds, by the
// clock so many times as many.
constexpr double kPatience = 10;

// The shadow memory of AddressSanitizer and ThreadSanitizer is address space too.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#elif defined(__has_feature)
constexpr bool kSanitized = __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#else
constexpr bool kSanitized = false;
#endif

/// A pipe's two ends.
class Pipe {
 public:
  Pipe() {
    if (::pipe2(ends_.data(), O_CLOEXEC) != 0)
      fail("A pipe to a child process could not be created: {}.", std::strerror(errno));
  }
  ~Pipe() {
    close_reading();
    close_writing();
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  void close_reading() { close(ends_[0]); }
  void close_writing() { close(ends_[1]); }

  /// False if nobody reads.
  [[nodiscard]] bool write(const std::string& text) const {
    for (std::size_t done = 0; done < text.size();) {
      const auto put = ::write(ends_[1], text.data() + done, text.size() - done);
      if (put < 0 && errno == EINTR) continue;
      if (put <= 0) return false;
      done += static_cast<std::size_t>(put);
    }
    return true;
  }
  /// Each message but the first advances the stage: the child names a file as it begins it.
  [[nodiscard]] std::string read_all(Stage& stage) const {
    std::string text;
    std::array<char, 4096> block{};
    for (;;) {
      const auto got = ::read(ends_[0], block.data(), block.size());
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) return text;
      stage.advance(static_cast<double>(text.empty() ? got - 1 : got));
      text.append(block.data(), static_cast<std::size_t>(got));
    }
  }

 private:
  static void close(int& end) {
    if (end >= 0) ::close(end);
    end = -1;
  }
  std::array<int, 2> ends_{-1, -1};
};

/// Bytes of address space of this process.
std::uint64_t address_space() {
  std::ifstream statm("/proc/self/statm");
  std::uint64_t pages = 0;
  statm >> pages;
  return pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

void limit(int resource, std::uint64_t value) {
  const rlimit limits{value, value};
  ::setrlimit(static_cast<__rlimit_resource>(resource), &limits);
}

void restrain(const ChildLimits& limits) {
  // The parent's signal handlers are not the child's.
  for (const int signal : {SIGALRM, SIGPROF, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTERM, SIGINT})
    std::signal(signal, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  limit(RLIMIT_CORE, 0);
  if (!kSanitized) limit(RLIMIT_AS, address_space() + limits.memory_bytes);
  const int nowhere = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  ::dup2(nowhere, 1);
  ::dup2(nowhere, 2);
}

itimerval once_after(double seconds) {
  const auto whole = static_cast<time_t>(seconds);
  return {{}, {whole, static_cast<suseconds_t>((seconds - static_cast<double>(whole)) * 1e6)}};
}

/// SIGPROF after `seconds` of CPU time, SIGALRM after kPatience times as many by the clock.
void limit_time(double seconds) {
  const itimerval cpu = once_after(seconds), clock = once_after(kPatience * seconds);
  ::setitimer(ITIMER_PROF, &cpu, nullptr);
  ::setitimer(ITIMER_REAL, &clock, nullptr);
}

double seconds_for(const std::string& file, const ChildLimits& limits) {
  std::error_code unknown;
  const std::uintmax_t bytes = std::filesystem::file_size(file, unknown);
  return limits.seconds + (unknown ? 0.0 : static_cast<double>(bytes) / kBytesASecond);
}

/// Why the file is invalid, in a sentence; empty if it is valid.
std::string problem_of(const std::string& file, const std::function<void(const std::string&)>& check) {
  try {
    check(file);
    return "";
  } catch (const Error& error) {
    return error.what();
  } catch (const std::bad_alloc&) {
    return fmt::format("{} asks for more memory than any such file needs; it is corrupt.", file);
  } catch (const std::exception& error) {
    return fmt::format("{} cannot be read: {}.", file, error.what());
  }
}

[[noreturn]] void be_the_child(std::span<const std::string> files, const ChildLimits& limits,
                               const std::function<void(const std::string&)>& check, Pipe& pipe) {
  pipe.close_reading();
  show_stages(nullptr);
  restrain(limits);
  for (const std::string& file : files) {
    limit_time(seconds_for(file, limits));
    if (!pipe.write(std::string(1, kFile))) ::_exit(1);
    const std::string problem = problem_of(file, check);
    if (problem.empty()) continue;
    (void)pipe.write(kRefused + problem);
    ::_exit(1);
  }
  ::_exit(0);
}

int wait_for(pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0)
    if (errno != EINTR) fail("A child process was lost: {}.", std::strerror(errno));
  return status;
}

[[noreturn]] void refuse_crash(const std::string& file, int status) {
  const int signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  if (signal == SIGPROF)
    refuse("{} takes the HDF5 library too long to read; it is corrupt. Get it again.", file);
  if (signal == SIGALRM)
    fail(
        "{} could not be read in time, though it needs little of the CPU: its disk or file server hangs. Try again.",
        file);
  refuse(
      "{} makes the HDF5 library crash ({}); it is corrupt or malicious. It was validated in a child process, so "
      "nothing else was affected. Get it again, or leave it out.",
      file, signal == 0 ? fmt::format("status {}", WEXITSTATUS(status)) : ::strsignal(signal));
}

}  // namespace

void check_in_child(std::span<const std::string> files, const ChildLimits& limits,
                    const std::function<void(const std::string& file)>& check) {
  if (files.empty()) return;
  Pipe pipe;
  const pid_t child = ::fork();
  if (child < 0)
    fail("A child process to validate {} could not be started: {}.", files.front(), std::strerror(errno));
  if (child == 0) be_the_child(files, limits, check, pipe);
  pipe.close_writing();
  // After the fork: whoever shows a stage starts a thread, whose locks the child would inherit as they are at
  // that moment. Of a single file there is no share.
  Stage stage(files.size() == 1 ? fmt::format("checking {}", files.front())
                                : fmt::format("checking {} files", files.size()),
              files.size() == 1 ? 0 : static_cast<double>(files.size()));
  const std::string said = pipe.read_all(stage);
  const int status = wait_for(child);
  if (status == 0) return;
  const auto refusal = said.find(kRefused);
  if (refusal != std::string::npos) throw InputError(said.substr(refusal + 1));
  refuse_crash(files[std::clamp<std::size_t>(said.size(), 1, files.size()) - 1], status);
}

}  // namespace nystrom
