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
#include "kernels/core/folders.h"

namespace nystrom {

/// What could be read of a lock.
struct LockReading {
  enum class State { kRead, kGone, kUnreadable } state = State::kGone;
  std::string text, problem;
};

namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr auto kPollInterval = std::chrono::milliseconds(100);  // for another job's lock

/// An open file; closed at the end of its life.
class OpenFile {
 public:
  OpenFile(const std::string& path, int flags) : file_(::open(path.c_str(), flags | O_CLOEXEC, 0666)) {}
  ~OpenFile() {
    if (file_ >= 0) ::close(file_);
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;

  [[nodiscard]] bool is_open() const { return file_ >= 0; }
  /// A lock is a few hundred bytes.
  [[nodiscard]] LockReading read() const {
    std::string text(4096, '\0');
    const auto got = file_ < 0 ? -1 : ::pread(file_, text.data(), text.size(), 0);
    if (got < 0)
      return {errno == ENOENT ? LockReading::State::kGone : LockReading::State::kUnreadable, "",
              std::strerror(errno)};
    text.resize(static_cast<std::size_t>(got));
    return {LockReading::State::kRead, std::move(text), ""};
  }
  /// True if all of `text` was written and flushed. Closes the file.
  bool write(const std::string& text) {
    const bool written = ::pwrite(file_, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size());
    return ::close(std::exchange(file_, -1)) == 0 && written;
  }

 private:
  int file_;
};

/// A file that is gone when this is; it may be gone before.
class RemovedAtEnd {
 public:
  explicit RemovedAtEnd(std::string path) : path_(std::move(path)) {}
  ~RemovedAtEnd() {
    std::error_code ignored;
    fs::remove(path_, ignored);
  }
  RemovedAtEnd(const RemovedAtEnd&) = delete;
  RemovedAtEnd& operator=(const RemovedAtEnd&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

LockReading read_lock(const std::string& path) {
  return OpenFile(path, O_RDONLY).read();
}

/// True if all of `text` was written to `path` and flushed.
bool write_text(const std::string& path, const std::string& text, int flags) {
  OpenFile file(path, O_WRONLY | flags);
  return file.is_open() && file.write(text);
}

/// Seconds that continue to count while the machine sleeps.
double boot_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
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
  enum class State {
    kAlive,
    kWatched,     ///< not known yet
    kDead,        ///< its process is gone
    kSilent,      ///< on another machine, without a heartbeat for so long that it counts as dead
    kHidden,      ///< on this machine, without a heartbeat, but with a process that cannot be inspected
    kUnreadable,  ///< the lock cannot be read
    kGone,        ///< there is no lock any more
  };

  Suspect(std::string path, ProcessInfo self, Clock::duration silence)
      : path_(std::move(path)), self_(std::move(self)), silence_(silence) {}

  State poll() {
    const auto now = Clock::now();
    LockReading reading = read_lock(path_);
    const Holder before(text_), holder(reading.text);
    const bool first = polls_++ == 0, moved = reading.text != text_;
    if (first || moved) since_ = now;
    text_ = std::move(reading.text);
    problem_ = std::move(reading.problem);
    if (reading.state == LockReading::State::kGone) return State::kGone;
    if (reading.state == LockReading::State::kUnreadable) return State::kUnreadable;
    here_ = !holder.token.empty() && same_machine(holder.process, self_);
    const Life life = here_ ? life_of(holder.process) : Life::kHidden;
    if (life != Life::kHidden) return life == Life::kAlive ? State::kAlive : State::kDead;
    if (!first && moved && before.token == holder.token) return State::kAlive;
    if (now - since_ <= silence_) return State::kWatched;
    return here_ ? State::kHidden : State::kSilent;
  }
  [[nodiscard]] const std::string& text() const { return text_; }
  [[nodiscard]] const std::string& problem() const { return problem_; }  ///< why it cannot be read
  [[nodiscard]] std::string name() const { return Holder(text_).name(); }
  [[nodiscard]] bool is_here() const { return here_; }  ///< owner is on this machine

 private:
  std::string path_, text_, problem_;
  ProcessInfo self_;
  Clock::duration silence_;
  Clock::time_point since_;
  int polls_ = 0;
  bool here_ = false;
};

[[noreturn]] void refuse_creation(const std::string& directory, const std::string& reason) {
  refuse("{} cannot be created: {}. Choose another `run.directory`.", directory, reason);
}

[[noreturn]] void refuse_writing(const std::string& directory, const std::string& reason) {
  refuse("{} cannot be written: {}. Choose another `run.directory`.", directory, reason);
}

constexpr const char* kTakeOver = "If it is surely dead, start once with `--takeover`";

/// A sentence on an owner that is alive or may be: why this job cannot have the directory.
std::string refusal(const std::string& directory, const Suspect& holder, Suspect::State state) {
  using State = Suspect::State;
  if (state == State::kUnreadable)
    return fmt::format(
        "{}/lock cannot be read ({}), so the job that made it counts as alive. {}; else wait until it ends, or "
        "choose another `run.directory`.",
        directory, holder.problem(), kTakeOver);
  if (state == State::kHidden)
    return fmt::format(
        "{} is in use by {}, whose process this system hides (/proc with hidepid), and which has not been "
        "heard for a while. {}; else wait until it ends, or choose another `run.directory`.",
        directory, holder.name(), kTakeOver);
  return fmt::format("{} is in use by {}{}. Wait until it ends, or choose another `run.directory`.",
                     directory, holder.name(), holder.is_here() ? "" : ", whose heartbeat continues");
}

}  // namespace

std::string RunLock::path_in(const std::string& directory) {
  return directory + "/lock";
}

RunLock::RunLock(std::string directory, const std::function<void(const std::string&)>& note,
                 const LockTimes& times, bool takeover)
    : directory_(std::move(directory)),
      path_(path_in(directory_)),
      since_(time_text()),
      self_(this_process()),
      times_(times) {
  std::error_code problem;
  made_directory_ = fs::create_directories(directory_, problem);
  if (problem) refuse_creation(directory_, problem.message());
  token_ = temporary_name("");
  acquire(note, takeover);
  confirmed_ = boot_seconds();
}

void RunLock::acquire(const std::function<void(const std::string&)>& note, bool takeover) {
  using State = Suspect::State;
  Suspect holder(path_, self_, times_.silence), claim(claim_path(), self_, times_.silence);
  const auto began = Clock::now();
  for (bool reported = false; !try_to_make(path_); std::this_thread::sleep_for(kPollInterval)) {
    const State state = holder.poll();
    const bool dead = state == State::kDead || state == State::kSilent;
    if (state == State::kGone) continue;
    if (dead || takeover) {
      if (take_over(holder.text(), state == State::kUnreadable)) {
        owner_may_write_ = state != State::kDead;
        note(dead ? fmt::format("{} was left locked by {}, which is dead; this job takes the lock over.",
                                directory_, holder.name())
                  : fmt::format("{} is locked by {}, which may be alive; this job takes the lock over, since "
                                "`--takeover` is given.",
                                directory_, holder.name()));
        if (owner_may_write_) std::this_thread::sleep_for(2 * times_.trust);  // for the owner to notice
        return;
      }
      const State other = claim.poll();
      if (std::error_code ignored; other == State::kDead || other == State::kSilent)
        fs::remove(claim_path(), ignored);
      if (other == State::kHidden ||
          (other == State::kUnreadable && Clock::now() - began > 2 * times_.silence))
        refuse("{} is left by a job that cannot be inspected. If no job is starting there, remove it.",
               claim_path());
    } else if (state == State::kWatched) {
      if (!std::exchange(reported, true))
        note(fmt::format("{} is locked by {}; waiting up to {:.0f} s for its heartbeat.", directory_,
                         holder.name(), std::chrono::duration<double>(times_.silence).count()));
    } else if (state != State::kAlive || !holder.is_here() || Clock::now() - began > times_.patience) {
      refuse("{}", refusal(directory_, holder, state));
    }
  }
}

void RunLock::check(const std::string& directory, const std::function<void(const std::string&)>& note) {
  const std::string problem = why_not_writable(directory);
  if (!fs::exists(directory)) {
    if (!problem.empty()) refuse_creation(directory, problem);
    return;
  }
  if (!problem.empty()) refuse_writing(directory, problem);
  if (!fs::exists(path_in(directory))) return;
  Suspect holder(path_in(directory), this_process(), LockTimes().silence);
  const Suspect::State state = holder.poll();
  if (state == Suspect::State::kAlive || state == Suspect::State::kUnreadable ||
      state == Suspect::State::kHidden)
    refuse("{}", refusal(directory, holder, state));
  if (state == Suspect::State::kWatched)
    note(fmt::format(
        "{} is locked by {}, {}: a start waits up to {:.0f} s for its heartbeat.", directory, holder.name(),
        holder.is_here() ? "whose process this system hides (/proc with hidepid)" : "on another machine",
        std::chrono::duration<double>(LockTimes().silence).count()));
}

RunLock::~RunLock() {
  std::error_code ignored;
  if (Holder(read_lock(path_).text).token == token_) fs::remove(path_, ignored);
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
  refuse_writing(directory_, reason);
}

// Of several jobs that find the lock dead, one gets the claim, and replaces the lock if it is still the dead
// job's: if it has the text that was found, or could not be read and still cannot.
bool RunLock::take_over(const std::string& found, bool unread) const {
  if (!try_to_make(claim_path())) return false;
  const RemovedAtEnd claim(claim_path());
  const LockReading now = read_lock(path_);
  if (now.text != found || (now.state == LockReading::State::kUnreadable) != unread) return false;
  const RemovedAtEnd mine(write_mine());
  if (std::rename(mine.path().c_str(), path_.c_str()) != 0)
    refuse("{} cannot be replaced: {}. Remove it, or choose another `run.directory`.", path_,
           std::strerror(errno));
  return true;
}

// The file is opened once: whoever takes the lock over renames another file to its place, which a late
// heartbeat of this job does not reach.
void RunLock::beat() {
  const auto now = Clock::now();
  if (now - last_ < times_.beat) return;
  last_ = now;
  OpenFile file(path_, O_RDWR);
  if (!still_mine(file.read())) return;
  ++beats_;
  (void)file.write(content());  // on failure the next heartbeat tries again
}

/// Notes whose the lock is. A file that cannot be read for the moment proves nothing.
bool RunLock::still_mine(const LockReading& reading) {
  if (reading.state == LockReading::State::kUnreadable) return false;
  const Holder holder(reading.text);
  const std::scoped_lock held(mutex_);
  if (holder.token == token_)
    confirmed_ = boot_seconds();
  else
    lost_to_ = holder.token.empty() ? "someone who removed the lock" : holder.name();
  return holder.token == token_;
}

void RunLock::confirm() {
  check();
  {
    const std::scoped_lock held(mutex_);
    if (boot_seconds() - confirmed_ < std::chrono::duration<double>(times_.trust).count()) return;
  }
  (void)still_mine(read_lock(path_));
  check();
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
