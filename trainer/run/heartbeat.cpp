#include "trainer/run/heartbeat.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <thread>
#include <utility>

#include "kernels/core/check.h"
#include "kernels/core/files.h"
#include "kernels/core/printable.h"

namespace nystrom {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kBytes = 512;  // of a file: replaced by a single write
constexpr std::uint64_t kMaxBytesRead = 1U << 16U;
constexpr double kBeatsPerSecond = 64;  // maximum of the whole job
constexpr double kMissedBeats = 5;      // until a rank counts as silent
constexpr double kMaxInterval = 2000;   // that of 128,000 ranks; a file that says more is wrong
constexpr double kLongSeconds = 10;     // in a phase that other ranks wait for
constexpr std::string_view kStart = "rank-";

std::string text_of(const Heartbeat& beat) {
  std::string text = fmt::format(
      "rank={}\nranks={}\nhost={}\nprocess={}\nstep={}\nphase={}\nphase_seconds={:.3f}\nwaits_for={}\n"
      "wait_seconds={:.3f}\nwritten={:.3f}\nevery={:.3f}\n",
      beat.rank, beat.ranks, beat.host, beat.process, beat.doing.step, beat.doing.phase,
      beat.doing.phase_seconds, beat.doing.waits_for, beat.doing.wait_seconds, beat.written, beat.every);
  text.resize(kBytes, '\n');
  return text;
}

using Values = std::map<std::string, std::string, std::less<>>;

double number(const Values& values, std::string_view key) {
  const auto found = values.find(key);
  return found == values.end() ? 0 : std::strtod(found->second.c_str(), nullptr);
}

std::int64_t whole(const Values& values, std::string_view key) {
  const auto found = values.find(key);
  return found == values.end() ? 0 : std::strtoll(found->second.c_str(), nullptr, 10);
}

std::string text(const Values& values, std::string_view key) {
  const auto found = values.find(key);
  return found == values.end() ? "" : printable(found->second);
}

bool read_heartbeat(const fs::path& path, Heartbeat& beat) {
  std::istringstream file(try_read_file(path.string(), kMaxBytesRead).value_or(""));
  Values values;
  for (std::string line; std::getline(file, line);) {
    const auto middle = line.find('=');
    if (middle != std::string::npos) values[line.substr(0, middle)] = line.substr(middle + 1);
  }
  if (!values.contains("every")) return false;  // the last of its keys
  const std::int64_t rank = whole(values, "rank"), ranks = whole(values, "ranks");
  if (rank < 0 || rank >= ranks || !std::in_range<int>(ranks)) return false;
  beat = {.rank = static_cast<int>(rank),
          .ranks = static_cast<int>(ranks),
          .host = text(values, "host"),
          .process = whole(values, "process"),
          .doing = {.step = whole(values, "step"),
                    .phase = text(values, "phase"),
                    .phase_seconds = number(values, "phase_seconds"),
                    .waits_for = text(values, "waits_for"),
                    .wait_seconds = number(values, "wait_seconds")},
          .written = number(values, "written"),
          .every = number(values, "every")};
  return true;
}

/// Clocks of machines differ a little: negative ages are 0.
double age_of(const Heartbeat& beat, double now) {
  return std::max(0.0, now - beat.written);
}

double patience_with(const Heartbeat& beat) {
  return kMissedBeats * (beat.every >= 1 && beat.every <= kMaxInterval ? beat.every : 1);
}

bool silent(const Heartbeat& beat, double now) {
  return age_of(beat, now) > patience_with(beat);
}

/// A sentence on the suspicious rank; empty if there is none.
std::string verdict(const std::vector<Heartbeat>& beats, double now) {
  for (const Heartbeat& beat : beats)
    if (silent(beat, now))
      return fmt::format(
          "Rank {} on {} (process {}) has sent no heartbeat for {:.0f} s: it is dead, stopped, or cannot "
          "reach the run directory.",
          beat.rank, beat.host, beat.process, age_of(beat, now));
  const auto waits = [](const Heartbeat& beat) { return !beat.doing.waits_for.empty(); };
  const auto longest = [&](const Heartbeat& beat) { return waits(beat) ? beat.doing.wait_seconds : 0; };
  const auto waiting = std::ranges::max_element(beats, {}, longest);
  if (waiting == beats.end() || longest(*waiting) < kLongSeconds) return "";
  const auto busy = std::ranges::find_if_not(beats, waits);
  if (busy == beats.end())
    return fmt::format("All ranks wait, rank {} for {}: the ranks disagree, or the network is down.",
                       waiting->rank, waiting->doing.waits_for);
  return fmt::format(
      "Rank {} on {} (process {}) has been in `{}` for {:.0f} s, and others wait for it in {}.", busy->rank,
      busy->host, busy->process, busy->doing.phase, busy->doing.phase_seconds + age_of(*busy, now),
      waiting->doing.waits_for);
}

}  // namespace

double heartbeat_seconds(int ranks) {
  return std::max(1.0, ranks / kBeatsPerSecond);
}

std::string heartbeat_folder(const std::string& directory) {
  return directory + "/ranks";
}

std::string heartbeat_path(const std::string& directory, int rank) {
  return fmt::format("{}/{}{:05}", heartbeat_folder(directory), kStart, rank);
}

// Reopened each time: close() makes the content visible to other machines on a network file system.
bool write_heartbeat(const std::string& directory, const Heartbeat& beat) noexcept {
  try {
    const std::string path = heartbeat_path(directory, beat.rank), content = text_of(beat);
    const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (file < 0) return false;
    const bool written =
        ::pwrite(file, content.data(), content.size(), 0) == static_cast<ssize_t>(content.size());
    return ::close(file) == 0 && written;
  } catch (const std::exception&) {
    return false;
  }
}

std::vector<Heartbeat> read_heartbeats(const std::string& directory) {
  std::vector<Heartbeat> beats;
  std::error_code problem;
  for (fs::directory_iterator it(heartbeat_folder(directory), problem), end; !problem && it != end;
       it.increment(problem))
    if (Heartbeat beat;
        it->path().filename().string().starts_with(kStart) && read_heartbeat(it->path(), beat))
      beats.push_back(std::move(beat));
  std::ranges::sort(beats, {}, &Heartbeat::rank);
  return beats;
}

void remove_heartbeats(const std::string& directory) {
  std::error_code ignored;
  fs::remove_all(heartbeat_folder(directory), ignored);
}

std::string job_report(const std::vector<Heartbeat>& beats, double now) {
  if (beats.empty()) return "";
  std::string report = fmt::format("{:>5}  {:<20} {:>8} {:>9}  {:>8}  {}\n", "rank", "host", "process",
                                   "step", "seconds", "doing");
  for (const Heartbeat& beat : beats) {
    const Activity::Now& doing = beat.doing;
    const double age = age_of(beat, now);
    const bool waits = !doing.waits_for.empty();
    report += fmt::format("{:>5}  {:<20} {:>8} {:>9}  {:>8.1f}  {}{}{}\n", beat.rank, beat.host, beat.process,
                          doing.step, (waits ? doing.wait_seconds : doing.phase_seconds) + age, doing.phase,
                          waits ? ", waits for " + doing.waits_for : "",
                          silent(beat, now) ? fmt::format("  (silent for {:.0f} s)", age) : "");
  }
  const int ranks = beats.front().ranks;
  if (static_cast<std::size_t>(ranks) != beats.size())
    report += fmt::format("{} of {} ranks have left a heartbeat.\n", beats.size(), ranks);
  const std::string odd = verdict(beats, now);
  return odd.empty() ? report : report + odd + "\n";
}

std::string job_report(const std::string& directory) {
  JobWatch watch(directory);
  while (!watch.look(unix_seconds())) std::this_thread::sleep_for(std::chrono::milliseconds(500));
  if (watch.empty())
    refuse(
        "{} has no heartbeats: no job is running there, or it has just started. Give the `run.directory` "
        "of a running job.",
        directory);
  return watch.report();
}

bool JobWatch::look(double now, Clock::time_point clock) {
  now_ = now;
  beats_ = read_heartbeats(directory_);
  bool known = true;
  for (Heartbeat& beat : beats_) known = settle(beat, clock) && known;
  return known;
}

bool JobWatch::settle(Heartbeat& beat, Clock::time_point clock) {
  const First& first = first_.try_emplace(beat.rank, First{beat.written, clock}).first->second;
  const double ahead = beat.written - now_,
               watched = std::chrono::duration<double>(clock - first.seen).count();
  if (std::abs(ahead) <= patience_with(beat)) return true;
  if (beat.written != first.written) {
    clocks_[beat.host] = ahead;
    beat.written = now_;
    return true;
  }
  if (ahead > 0) beat.written = now_ - watched;
  return watched > patience_with(beat);
}

std::string JobWatch::report() const {
  std::string report = job_report(beats_, now_);
  for (const auto& [host, ahead] : clocks_)
    report += fmt::format("The clock of {} is {:.0f} s {} this machine's; set them by NTP.\n", host,
                          std::abs(ahead), ahead > 0 ? "ahead of" : "behind");
  return report;
}

double unix_seconds() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace nystrom
