#include "trainer/run/run_lock.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <map>
#include <thread>
#include <utility>

#include "kernels/core/check.h"
#include "kernels/core/files.h"

namespace nystrom {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr auto kPollInterval = std::chrono::milliseconds(100);  // for another job's lock

/// Empty if there is no such file any more.
std::string read_text(const std::string& path) {
  return try_read_file(path).value_or("");
}

/// True if all of `text` was written to `path` and flushed.
bool write_text(const std::string& path, const std::string& text, int flags) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CLOEXEC | flags, 0666);
  if (file < 0) return false;
  const bool written = ::pwrite(file, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size());
  return ::close(file) == 0 && written;
}

/// Owner of a lock or claim, parsed from its text.
struct Holder {
  ProcessInfo process;
  std::string token, since;

  explicit Holder(const std::string& text) {
    std::map<std::string, std::string> values;
    for (std::size_t begin = 0; begin < text.size();) {
      const auto end = std::min(text.find('\n', begin), text.size());
      const auto middle = text.find('=', begin);
      if (middle < end)
        values[text.substr(begin, middle - begin)] = text.substr(middle + 1, end - middle - 1);
      begin = end + 1;
    }
    const auto number = [&](const char* key) { return std::strtoll(values[key].c_str(), nullptr, 10); };
    process = {values["host"], values["machine"], number("process"), number("started")};
    token = values["token"];
    since = values["since"];
  }
  [[nodiscard]] std::string name() const {
    if (token.empty()) return "an unknown job";
    return fmt::format("process {} on {} since {}", process.process, process.host, since);
  }
};

std::string time_text() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  char text[32];
  return {text, std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &parts)};
}

/// Another job's lock or claim, polled to find out whether its owner is alive.
class Suspect {
 public:
  enum class State { kAlive, kUnknown, kDead };

  Suspect(std::string path, std::string machine, Clock::duration silence)
      : path_(std::move(path)), machine_(std::move(machine)), silence_(silence) {}

  State poll() {
    const auto now = Clock::now();
    std::string text = read_text(path_);
    const Holder before(text_), holder(text);
    const bool first = polls_++ == 0, beats = !first && text != text_ && before.token == holder.token;
    if (first || text != text_) since_ = now;
    text_ = std::move(text);
    here_ = holder.process.machine == machine_ && !holder.token.empty();
    if (here_) return is_alive(holder.process) ? State::kAlive : State::kDead;
    if (beats) return State::kAlive;
    return now - since_ > silence_ ? State::kDead : State::kUnknown;
  }
  [[nodiscard]] const std::string& text() const { return text_; }
  [[nodiscard]] std::string name() const { return Holder(text_).name(); }
  [[nodiscard]] bool is_here() const { return here_; }  ///< owner is on this machine

 private:
  std::string path_, machine_, text_;
  Clock::duration silence_;
  Clock::time_point since_;
  int polls_ = 0;
  bool here_ = false;
};

}  // namespace

std::string RunLock::path_in(const std::string& directory) {
  return directory + "/lock";
}

RunLock::RunLock(std::string directory, const std::function<void(const std::string&)>& note,
                 const LockTimes& times)
    : directory_(std::move(directory)),
      path_(path_in(directory_)),
      since_(time_text()),
      self_(this_process()),
      times_(times) {
  std::error_code problem;
  made_directory_ = fs::create_directories(directory_, problem);
  if (problem)
    refuse("{} cannot be created: {}. Choose another `run.directory`.", directory_, problem.message());
  token_ = temporary_name("");
  Suspect holder(path_, self_.machine, times_.silence), claim(claim_path(), self_.machine, times_.silence);
  const auto began = Clock::now();
  for (bool told = false; !try_to_make(path_); std::this_thread::sleep_for(kPollInterval)) {
    switch (holder.poll()) {
      case Suspect::State::kDead:
        if (take_over(holder.text())) {
          note(fmt::format("{} was left locked by {}, which is dead; this job takes the lock over.",
                           directory_, holder.name()));
          return;
        }
        if (std::error_code ignored; claim.poll() == Suspect::State::kDead) fs::remove(claim_path(), ignored);
        break;
      case Suspect::State::kAlive:
        if (!holder.is_here())
          refuse(
              "{} is in use by {}, whose heartbeat continues. Wait until it ends, or choose another "
              "`run.directory`.",
              directory_, holder.name());
        if (Clock::now() - began > times_.patience)
          refuse("{} is in use by {}. Wait until it ends, or choose another `run.directory`.", directory_,
                 holder.name());
        break;
      case Suspect::State::kUnknown:
        if (!std::exchange(told, true))
          note(fmt::format("{} is locked by {}; waiting up to {:.0f} s for its heartbeat.", directory_,
                           holder.name(), std::chrono::duration<double>(times_.silence).count()));
    }
  }
}

RunLock::~RunLock() {
  std::error_code ignored;
  if (Holder(read_text(path_)).token == token_) fs::remove(path_, ignored);
  if (made_directory_) fs::remove(directory_, ignored);  // fails if it is not empty
}

std::string RunLock::content() const {
  return fmt::format("token={}\nhost={}\nprocess={}\nstarted={}\nmachine={}\nsince={}\nbeats={:012}\n",
                     token_, self_.host, self_.process, self_.started, self_.machine, since_, beats_);
}

std::string RunLock::claim_path() const {
  return path_ + ".takeover";
}

// Creates `path` with this job's content; false if it exists. The result of link(2) may be lost on a network
// file system, so the link count decides.
bool RunLock::try_to_make(const std::string& path) const {
  const std::string mine = write_mine();
  struct stat status {};
  const bool linked =
      ::link(mine.c_str(), path.c_str()) == 0 || (::stat(mine.c_str(), &status) == 0 && status.st_nlink == 2);
  const int reason = errno;
  std::error_code ignored;
  fs::remove(mine, ignored);
  const bool no_links = reason == EPERM || reason == ENOTSUP || reason == ENOSYS;
  if (!linked && no_links)
    return write_text(path, content(), O_CREAT | O_EXCL);  // fallback without hard links
  if (!linked && reason != EEXIST)
    refuse("{} cannot hold a lock: {}. Choose another `run.directory`.", directory_, std::strerror(reason));
  return linked;
}

/// Writes a uniquely named file with this job's content.
std::string RunLock::write_mine() const {
  std::string mine = temporary_name(path_);
  if (write_text(mine, content(), O_CREAT | O_EXCL)) return mine;
  const std::string reason = std::strerror(errno);
  std::error_code ignored;
  fs::remove(mine, ignored);
  refuse("{} cannot be written: {}. Choose another `run.directory`.", directory_, reason);
}

// Of several jobs that find the lock dead, one gets the claim, and replaces the lock if it is still the dead
// job's.
bool RunLock::take_over(const std::string& found) const {
  if (!try_to_make(claim_path())) return false;
  bool taken = false;
  if (read_text(path_) == found) {
    const std::string mine = write_mine();
    taken = std::rename(mine.c_str(), path_.c_str()) == 0;
  }
  std::error_code ignored;
  fs::remove(claim_path(), ignored);
  return taken;
}

void RunLock::beat() {
  const auto now = Clock::now();
  if (now - last_ < times_.beat) return;
  last_ = now;
  const Holder holder(read_text(path_));
  if (holder.token != token_) {
    const std::scoped_lock held(mutex_);
    lost_to_ = holder.token.empty() ? "someone who removed the lock" : holder.name();
    return;
  }
  ++beats_;
  (void)write_text(path_, content(), 0);  // on failure the next heartbeat tries again
}

void RunLock::check() const {
  const std::scoped_lock held(mutex_);
  if (!lost_to_.empty())
    fail(
        "The lock of {} was taken over by {}: two jobs must not write there, so this one ends. Restart "
        "it when the other has ended.",
        directory_, lost_to_);
}

}  // namespace nystrom
