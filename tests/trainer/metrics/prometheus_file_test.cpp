#include "trainer/metrics/prometheus_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <limits>

#include "file_bytes.h"
#include "temporary_folder.h"

namespace nystrom {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::read_bytes;
using ::testing::SizeIs;
using testing::TemporaryFolder;

StepReport report(std::int64_t step) {
  StepReport report;
  report.step = step, report.steps = 9;
  report.losses = {.loss = 2.5, .terms = {{.name = "mlm", .loss = 2, .accuracy = 0.25, .labels = 8}}};
  report.seconds_left = 60;
  return report;
}

RunInfo info() {
  RunInfo info;
  info.steps = 9, info.ranks = 2;
  return info;
}

TEST(PrometheusFile, has_the_newest_figures_in_prometheus_text_format) {
  const TemporaryFolder folder;
  std::vector<std::string> warnings;
  {
    PrometheusFile file(
        folder / "run.prom", "runs/\"my\\", [&](const auto& s) { warnings.push_back(s); }, 0ms);
    file.started(info());
    for (std::int64_t step = 1; step <= 3; ++step) file.step(report(step));
    file.validated({.step = 3,
                    .losses = {.loss = std::numeric_limits<double>::quiet_NaN(), .terms = {}},
                    .scores = {{"f1", 0.5}}});
    file.saved({.step = 3, .path = "a.h5", .bytes = 1000});
    file.warning("something");
    file.finished(StopReason::kDone);
  }
  const std::string text = read_bytes(folder / "run.prom");
  const std::string run = R"({run="runs/\"my\\")";
  EXPECT_THAT(text,
              AllOf(HasSubstr("# TYPE nystrom_step gauge\nnystrom_step" + run + "} 3\n"),
                    HasSubstr("nystrom_running" + run + "} 0\n"), HasSubstr("nystrom_loss" + run + "} 2.5\n"),
                    HasSubstr("nystrom_loss" + run + ",part=\"mlm\"} 2\n"),
                    HasSubstr("nystrom_validation_loss" + run + "} NaN\n"),
                    HasSubstr("nystrom_score" + run + ",part=\"f1\"} 0.5\n"),
                    HasSubstr("nystrom_checkpoint_bytes" + run + "} 1000\n"),
                    HasSubstr("nystrom_warnings" + run + "} 1\n")));
  EXPECT_THAT(text, Not(HasSubstr("nystrom_seconds_left"))) << "the run is over";
  EXPECT_TRUE(text.ends_with("\n"));
  EXPECT_THAT(warnings, SizeIs(0));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1)
      << "no temporary file is left";
}

TEST(PrometheusFile, that_cannot_be_written_is_reported_once) {
  const TemporaryFolder folder;
  std::vector<std::string> warnings;
  {
    PrometheusFile file(
        folder / "none/run.prom", "run", [&](const auto& s) { warnings.push_back(s); }, 0ms);
    file.started(info());
    for (std::int64_t step = 1; step <= 200; ++step) file.step(report(step));
  }
  ASSERT_THAT(warnings, SizeIs(1));
  EXPECT_THAT(warnings[0], AllOf(HasSubstr("`run.metrics_file`"), HasSubstr("No such file or directory")));
}

TEST(PrometheusFile, of_a_run_that_never_started_is_not_written) {
  const TemporaryFolder folder;
  {
    PrometheusFile file(folder / "run.prom", "run", [](const auto&) {});
  }
  EXPECT_FALSE(std::filesystem::exists(folder / "run.prom"));
}

}  // namespace
}  // namespace nystrom
