#include "trainer/metrics/report_command.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "kernels/core/check.h"
#include "kernels/core/json.h"
#include "kernels/core/stage.h"
#include "trainer/metrics/metrics.h"

namespace nystrom {
namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

std::int64_t milliseconds(Clock::time_point time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

std::string quoted(const std::string& text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string event_line(std::string_view event, const std::string& members) {
  return fmt::format("{{\"event\": \"{}\"{}{}}}\n", event, members.empty() ? "" : ", ", members);
}

/// The members of a JSON object.
std::string inside(const std::string& object) {
  return object.substr(1, object.size() - 2);
}

std::string status_text(int status) {
  return WIFSIGNALED(status) ? fmt::format("was ended by signal {}", WTERMSIG(status))
                             : fmt::format("ended with status {}", WEXITSTATUS(status));
}

/// What is set up for posix_spawn: input from the pipe, output where stderr goes, no other open file,
/// signals as a program expects them, and its own process group, so that Ctrl-C does not end it before
/// the run.
class SpawnSetup {
 public:
  explicit SpawnSetup(int input) {
    posix_spawn_file_actions_init(&files_);
    posix_spawn_file_actions_adddup2(&files_, input, 0);
    posix_spawn_file_actions_adddup2(&files_, 2, 1);
#if defined(__GLIBC__) && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 34)
    posix_spawn_file_actions_addclosefrom_np(&files_, 3);
#endif
    posix_spawnattr_init(&attributes_);
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes_, &none);
    posix_spawnattr_setsigdefault(&attributes_, &all);
    posix_spawnattr_setpgroup(&attributes_, 0);
    posix_spawnattr_setflags(&attributes_,
                             POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  }
  ~SpawnSetup() {
    posix_spawn_file_actions_destroy(&files_);
    posix_spawnattr_destroy(&attributes_);
  }
  SpawnSetup(const SpawnSetup&) = delete;
  SpawnSetup& operator=(const SpawnSetup&) = delete;

  /// 0, or the reason as an errno.
  [[nodiscard]] int shell(const std::string& command, pid_t& child) const {
    std::string name = "sh", option = "-c", text = command;
    char* arguments[] = {name.data(), option.data(), text.data(), nullptr};
    return ::posix_spawn(&child, "/bin/sh", &files_, &attributes_, arguments, environ);
  }

 private:
  posix_spawn_file_actions_t files_{};
  posix_spawnattr_t attributes_{};
};

}  // namespace

bool ReportCommand::start() {
  int ends[2] = {-1, -1};
  int problem = ::pipe2(ends, O_CLOEXEC) == 0 ? 0 : errno;
  if (problem == 0) {
    problem = SpawnSetup(ends[0]).shell(options_.command, child_);
    ::close(ends[0]);
    if (problem != 0) ::close(ends[1]);
  }
  if (problem != 0) {
    child_ = -1;
    options_.warn(
        fmt::format("`run.on_report`: the command cannot be started: {}. The run continues without it.",
                    std::strerror(problem)));
    return false;
  }
  pipe_ = ends[1];
  ::fcntl(pipe_, F_SETFL, O_NONBLOCK);
  thread_.emplace([this](const std::stop_token& stop) { write(stop); });
  return true;
}

void ReportCommand::started(const RunInfo& info) {
  const bool nothing_left = !info.over.empty() || info.first_step > info.steps;
  if (child_ > 0 || nothing_left || !start()) return;
  std::string members = fmt::format(
      "\"first_step\": {}, \"steps\": {}, \"parameters\": {}, \"global_batch\": {}, \"micro_batch\": {}, "
      "\"ranks\": {}, \"threads\": {}, \"precision\": {}, \"resumed_from\": {}",
      info.first_step, info.steps, info.parameters, info.global_batch, info.micro_batch, info.ranks,
      info.threads, quoted(info.precision), quoted(info.resumed_from));
  if (!options_.about.empty()) members += ", " + options_.about;
  send(event_line("start", members));
}

void ReportCommand::step(const StepReport& report) {
  send(event_line("step", inside(metrics_line(report))));
}
void ReportCommand::validated(const ValidationReport& report) {
  send(event_line("validation", inside(metrics_line(report))));
}
void ReportCommand::saved(const SavedReport& report) {
  send(event_line("checkpoint", fmt::format("\"step\": {}, \"path\": {}, \"bytes\": {}, \"seconds\": {:.3f}",
                                            report.step, quoted(report.path), report.bytes, report.seconds)));
}
void ReportCommand::warning(const std::string& sentence) {
  send(event_line("warning", "\"text\": " + quoted(sentence)));
}
void ReportCommand::rolled_back(std::int64_t step) {
  send(event_line("rollback", fmt::format("\"step\": {}", step)));
}
void ReportCommand::finished(StopReason reason) {
  send(event_line("end", reason == StopReason::kDone ? "\"reason\": \"done\"" : "\"reason\": \"stopped\""));
  over_ = true;
  done_ = reason == StopReason::kDone;
}

void ReportCommand::send(const std::string& line) {
  if (pipe_ < 0) return;
  bool full = false;
  if (!broken_) {
    const std::lock_guard held(mutex_);
    full = queue_.size() >= options_.lines;
    if (!full) queue_.push_back(line);
  }
  changed_.notify_all();
  if (full && !std::exchange(dropped_, true))
    options_.warn(
        fmt::format("`run.on_report`: the command does not keep up; {} reports wait, and further ones are "
                    "dropped. metrics.jsonl has them all.",
                    options_.lines));
  tell_problem();
}

void ReportCommand::tell_problem() {
  std::string sentence;
  {
    const std::lock_guard held(mutex_);
    sentence = std::exchange(problem_, {});
  }
  if (!sentence.empty()) options_.warn(sentence);
}

void ReportCommand::write(const std::stop_token& stop) {
  while (true) {
    std::string text;
    {
      std::unique_lock held(mutex_);
      changed_.wait(held, stop, [this] { return !queue_.empty(); });
      if (queue_.empty()) return;  // asked to stop, and all is written
      text.swap(queue_.front());
      queue_.pop_front();
    }
    if (write_all(text)) continue;
    broken_ = true;
    const std::lock_guard held(mutex_);
    queue_.clear();
    return;
  }
}

bool ReportCommand::write_all(const std::string& text) {
  for (std::size_t done = 0; done < text.size();) {
    const auto put = ::write(pipe_, text.data() + done, text.size() - done);
    if (put >= 0) {
      done += static_cast<std::size_t>(put);
    } else if (errno == EAGAIN) {
      const auto end = deadline_.load();
      if (end != 0 && milliseconds(Clock::now()) >= end) return false;
      pollfd ready{.fd = pipe_, .events = POLLOUT, .revents = 0};
      (void)::poll(&ready, 1, 100);
    } else if (errno != EINTR) {
      const std::lock_guard held(mutex_);
      problem_ = "`run.on_report`: the command has closed its input; further reports are dropped.";
      return false;
    }
  }
  return true;
}

ReportCommand::Ended ReportCommand::wait_until(Clock::time_point end) {
  while (!ended_) {
    const pid_t got = ::waitpid(child_, &status_, WNOHANG);
    ended_ = got == child_ || (got < 0 && errno == ECHILD);
    if (ended_ || Clock::now() >= end) break;
    std::this_thread::sleep_for(10ms);
  }
  return ended_ ? Ended::kYes : Ended::kNo;
}

void ReportCommand::close() {
  const auto patience = done_ ? options_.patience : std::min(options_.patience, options_.hurry);
  const auto end = Clock::now() + patience;
  const Stage stage("waiting for the command of `run.on_report`");
  deadline_ = milliseconds(end);
  thread_->request_stop();
  thread_.reset();  // joined
  ::close(std::exchange(pipe_, -1));
  tell_problem();
  if (wait_until(end) == Ended::kNo) {
    options_.warn(fmt::format(
        "`run.on_report`: the command did not end within {:.0f} s of the run's end, and was killed.",
        std::chrono::duration<double>(patience).count()));
    ::kill(-child_, SIGTERM);
    (void)wait_until(Clock::now() + 500ms);
    ::kill(-child_, SIGKILL);  // the shell may be gone, and its children not
    (void)wait_until(Clock::now() + 10s);
  } else if (status_ != 0) {
    options_.warn(fmt::format("`run.on_report`: the command {}.", status_text(status_)));
  }
}

ReportCommand::~ReportCommand() {
  if (pipe_ < 0) return;
  try {
    if (!over_) send(event_line("end", "\"reason\": \"failed\""));
    close();
  } catch (...) {  // no memory for a sentence: the run's own end matters more
  }
}

}  // namespace nystrom
