#include "launch/report/report_file.h"

#include <chrono>
#include <exception>

#include "kernels/core/check.h"
#include "kernels/core/files.h"
#include "launch/report/grid_report.h"
#include "launch/report/report.h"
#include "trainer/run/run_directory.h"

namespace nystrom {
namespace {

using Clock = std::chrono::steady_clock;

constexpr const char* kName = "/report.html";

}  // namespace

void write_report(const std::string& directory) {
  if (is_grid_directory(directory)) {
    write_file(directory + kName, report_page("Grid", grid_body(directory)));
    return;
  }
  const ReportedRun runs[] = {read_reported_run(directory)};
  write_file(directory + kName, report_page(report_title(runs), report_body(runs)));
}

/// The metrics that were read before are not read again.
struct ReportFile::Followed {
  MetricsFollower metrics;
  Clock::time_point last = Clock::now();
  Clock::duration cost{};
  bool over = false;
};

ReportFile::ReportFile(std::string directory, Warn warn)
    : directory_(std::move(directory)),
      warn_(std::move(warn)),
      followed_(new Followed{.metrics = MetricsFollower(metrics_path(directory_))}) {}

ReportFile::~ReportFile() = default;

void ReportFile::finished(StopReason) {
  followed_->over = true;
  write();
}

void ReportFile::write_if_due() {
  if (Clock::now() - followed_->last >= kShareOfTime * followed_->cost) write();
}

void ReportFile::write() try {
  if (is_grid_directory(directory_)) return write_report(directory_);
  const Clock::time_point begin = Clock::now();
  followed_->metrics.look();
  ReportedRun runs[] = {{.record = read_run_record(directory_),
                         .history = followed_->metrics.history(),
                         .damaged_lines = followed_->metrics.damaged()}};
  if (followed_->over) runs[0].record.locked = false;  // by this job, which ends
  write_file(directory_ + kName, report_page(report_title(runs), report_body(runs)));
  followed_->last = Clock::now();
  followed_->cost = followed_->last - begin;
} catch (const std::exception& error) {
  if (!std::exchange(warned_, true))
    warn_(fmt::format("{} The run continues without its report.", error.what()));
}

}  // namespace nystrom
