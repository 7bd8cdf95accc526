#include "trainer/run/run_session.h"

#include <unistd.h>

#include <charconv>
#include <condition_variable>
#include <filesystem>
#include <utility>

#include "kernels/core/files.h"
#include "trainer/process/process_info.h"

namespace nystrom {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr auto kTick = 100ms;         // of the thread: latency of a requested report
constexpr double kStopFileEvery = 1;  // polling interval in seconds
constexpr auto kOthersTime = 500ms;   // for the other ranks to write their heartbeats before a report

std::string stop_file(const std::string& directory) {
  return directory + "/stop";
}

/// Copies take the place of the files that the previous owner of the lock appends to: what it may still write
/// reaches only what it has open.
void replace_open_files(const std::string& directory, Observer& observer) {
  std::error_code problem;
  for (fs::directory_iterator it(directory, problem), end; !problem && it != end; it.increment(problem)) {
    const std::string path = it->path().string(), name = it->path().filename().string();
    if (name != "metrics.jsonl" && name != "log.txt" && !name.starts_with("events.out.tfevents.")) continue;
    const std::string copy = temporary_name(path);
    std::error_code failed;
    if (!fs::copy_file(path, copy, failed)) {
      observer.warning(
          fmt::format("{} cannot be copied: {}. The job that held the lock may still write to it.", path,
                      failed.message()));
      continue;
    }
    publish_file(copy, path);
  }
}

/// The report that SIGUSR2 asks for, made while the session lasts: other ranks get the signal too, and
/// write their heartbeats; then it may have to be found out whether a rank that looks dead lives.
class StateReport {
 public:
  explicit StateReport(const std::string& directory) : watch_(directory) {}
  [[nodiscard]] bool is_ready() {
    const auto now = JobWatch::Clock::now();
    if (now < next_) return false;
    next_ = now + kOthersTime;
    return watch_.look(unix_seconds(), now);
  }
  [[nodiscard]] std::string text() const { return watch_.report(); }

 private:
  JobWatch watch_;
  JobWatch::Clock::time_point next_ = JobWatch::Clock::now() + kOthersTime;
};

constexpr double kAnyStop = 1e9;  // seconds, 31 years: a deadline beyond is none

}  // namespace

RunSession::RunSession(const SessionOptions& options, Comm& comm, Observer& observer)
    : options_(options), comm_(comm) {
  comm_.activity().set_phase("start");
  const ProcessInfo self = this_process();
  heart_.rank = comm.rank();
  heart_.ranks = comm.ranks();
  heart_.host = self.host;
  heart_.process = self.process;
  heart_.every = heartbeat_seconds(comm.ranks());
  if (options_.stop_after_seconds > 0 && options_.stop_after_seconds < kAnyStop)
    deadline_ = std::chrono::steady_clock::now() +
                std::chrono::duration_cast<std::chrono::steady_clock::duration>(
                    std::chrono::duration<double>(options_.stop_after_seconds - process_seconds()));
  if (comm.rank() != 0) return;
  lock_.emplace(
      options_.directory, [&observer](const std::string& sentence) { observer.note(sentence); }, LockTimes(),
      options_.takeover);
  if (lock_->owner_may_write()) replace_open_files(options_.directory, observer);
  remove_heartbeats(options_.directory);
  std::error_code ignored;
  fs::remove(stop_file(options_.directory), ignored);  // of a previous job
  fs::create_directories(heartbeat_folder(options_.directory), ignored);
}

void RunSession::begin() {
  thread_.emplace([this](const std::stop_token& stop) { watch(stop); });
}

RunSession::~RunSession() {
  thread_.reset();
  try {
    require_lock();
  } catch (const Error&) {
    return;  // the heartbeats are another job's
  }
  std::error_code ignored;
  fs::remove(heartbeat_path(options_.directory, comm_.rank()), ignored);
  fs::remove(heartbeat_folder(options_.directory), ignored);  // succeeds on the last rank, when it is empty
}

void RunSession::watch(const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any never;
  double looked = 0;
  std::optional<StateReport> report;
  while (!stop.stop_requested()) {
    const double now = unix_seconds();
    const bool asked = SignalWatch::take_report_request();
    beat_if_due(asked);
    if (lock_ && (now - looked >= kStopFileEvery || now < looked)) {
      looked = now;
      look_for_stop_file();
    }
    if (asked && comm_.rank() == 0 && options_.report) report.emplace(options_.directory);
    if (report && report->is_ready()) {
      options_.report(report->text());
      report.reset();
    }
    std::unique_lock held(mutex);
    (void)never.wait_for(held, stop, kTick, [] { return false; });
  }
}

/// The heartbeats of this rank and of the lock. A rank that is `asked` for a report has a new one in any
/// case.
void RunSession::beat_if_due(bool asked) {
  const double now = unix_seconds();
  if (asked || now - last_beat_ >= heart_.every || now < last_beat_) {
    last_beat_ = now;
    heart_.doing = comm_.activity().now();
    heart_.written = now;
    (void)write_heartbeat(options_.directory, heart_);  // on failure the next heartbeat tries again
  }
  if (lock_) lock_->beat();
}

// Removed at once: the next start must not find it.
void RunSession::look_for_stop_file() {
  std::error_code problem;
  if (fs::exists(stop_file(options_.directory), problem) &&
      fs::remove(stop_file(options_.directory), problem))
    stop_file_ = true;
}

std::string RunSession::stop_reason() const {
  if (lock_) lock_->check();
  if (SignalWatch::stop_requested()) return "requested by a signal";
  if (stop_file_) return fmt::format("requested by the file {}", stop_file(options_.directory));
  if (std::chrono::steady_clock::now() > deadline_)
    return fmt::format("`run.stop_after` ({:.0f} s) has elapsed", options_.stop_after_seconds);
  return "";
}

double duration_seconds(const std::string& text, std::string_view key) {
  if (text.empty()) return 0;
  const auto bad = [&] {
    refuse("`{}` is {}; write a time such as 11h45m, 90s or 2d12h (d, h, m, s in this order).", key, text);
  };
  constexpr std::string_view kUnits = "dhms";
  constexpr double kSeconds[] = {86400, 3600, 60, 1};
  double sum = 0;
  std::size_t next_unit = 0;
  for (const char *at = text.data(), *end = at + text.size(); at != end;) {
    std::int64_t number = 0;
    const auto [stop, error] = std::from_chars(at, end, number);
    if (error != std::errc() || number < 0 || number > 1'000'000'000) bad();
    if (stop == end && at == text.data()) return static_cast<double>(number);  // plain seconds
    const auto unit = stop == end ? std::string_view::npos : kUnits.find(*stop);
    if (unit == std::string_view::npos || unit < next_unit) bad();
    sum += static_cast<double>(number) * kSeconds[unit];
    next_unit = unit + 1;
    at = stop + 1;
  }
  return sum;
}

}  // namespace nystrom
