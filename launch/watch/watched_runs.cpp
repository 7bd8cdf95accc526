#include "launch/watch/watched_runs.h"

#include <algorithm>
#include <filesystem>

#include "kernels/core/check.h"
#include "kernels/core/files.h"
#include "trainer/run/run_directory.h"

namespace nystrom {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxOpen = 16;  // runs of which the metrics are kept in memory

}  // namespace

WatchedRun::WatchedRun(const std::string& directory)
    : directory_(directory), metrics_(metrics_path(directory)), job_(directory) {}

ReportedRun WatchedRun::look() {
  metrics_.look();
  return {.record = read_run_record(directory_),
          .history = metrics_.history(),
          .damaged_lines = metrics_.damaged()};
}

std::string WatchedRun::ranks() {
  (void)job_.look(unix_seconds());
  return job_.empty() ? std::string() : job_.report();
}

ReportedRun read_end_of_run(const std::string& directory) {
  constexpr std::int64_t kEnd = std::int64_t{64} << 10U;
  MetricsFollower metrics(metrics_path(directory), kEnd);
  metrics.look();
  return {.record = read_run_record(directory), .history = metrics.history()};
}

WatchedRuns::WatchedRuns(std::string directory) : directory_(std::move(directory)) {
  std::error_code ignored;
  if (!fs::is_directory(directory_, ignored))
    refuse("{} is not a directory; name a run directory, or one of runs.", directory_);
}

bool WatchedRuns::is_one_run() const {
  return is_run_directory(directory_) || file_exists(directory_ + "/config.yaml");
}

std::vector<std::string> WatchedRuns::names() const {
  std::vector<std::string> names;
  for (const std::string& run : runs_below(directory_, kMaxListed))
    names.push_back(fs::path(run).filename().string());
  return names;
}

WatchedRun* WatchedRuns::find(std::string_view name) {
  const bool known = name.empty() ? is_one_run() : std::ranges::count(names(), name) > 0;
  if (!known) return nullptr;
  if (const auto found = open_.find(name); found != open_.end()) return found->second.get();
  if (open_.size() >= kMaxOpen) open_.clear();
  const std::string directory = name.empty() ? directory_ : directory_ + "/" + std::string(name);
  return open_.emplace(name, std::make_unique<WatchedRun>(directory)).first->second.get();
}

}  // namespace nystrom
