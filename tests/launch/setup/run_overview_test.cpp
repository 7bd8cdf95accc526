#include "launch/setup/run_overview.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <limits>
#include <numeric>

#include "file_bytes.h"
#include "temporary_folder.h"
#include "trainer/run/heartbeat.h"

namespace nystrom {
namespace {

using testing::TemporaryFolder;
using testing::write_bytes;

TEST(DaysText, has_days_from_a_day_on) {
  EXPECT_EQ(days_text(3661), "1:01:01");
  EXPECT_EQ(days_text(2 * 86400.0 + 3661), "2 d 1:01:01");
  EXPECT_EQ(days_text(std::numeric_limits<double>::quiet_NaN()), "?");
}

TEST(RunOverview, is_read_from_what_is_there) {
  const TemporaryFolder folder;
  write_bytes(folder / "metrics.jsonl",
              "{\"step\": 10, \"loss\": 5.5, \"mlm_loss\": 5, \"seconds\": 20}\n"
              "{\"step\": 10, \"validation_loss\": 4, \"validation_mlm_loss\": 3}\n"
              "no line\n"
              "{\"step\": 20, \"loss\": 4.5, \"mlm_loss\": null, \"seconds\": 40}\n"
              "{\"step\": 20, \"validation_loss\": 4.5, \"validation_mlm_loss\": 3.5}\n"
              "{\"step\": 30, \"lo");
  write_bytes(folder / "run.json",
              "[{\"date\": \"today\", \"host\": \"here\", \"ranks\": 2, \"steps\": 100}]");
  const RunOverview run = read_run_overview(folder.path());
  EXPECT_EQ(run.condition, RunCondition::kStopped);
  EXPECT_EQ(run.started, "today on here, 2 ranks");
  EXPECT_EQ(run.step, 20);
  EXPECT_EQ(run.steps, 100);
  EXPECT_DOUBLE_EQ(run.seconds_left, 160);
  EXPECT_EQ(run.losses, (std::vector<double>{5.5, 4.5}));
  EXPECT_EQ(run.validation->step, 20);
  EXPECT_EQ(run.best->step, 10);
  EXPECT_DOUBLE_EQ(*run.best->mlm_loss, 3);
}

TEST(RunOverview, distinguishes_a_running_job_from_a_killed_one) {
  const TemporaryFolder folder;
  std::filesystem::create_directory(heartbeat_folder(folder.path()));
  Heartbeat beat{.host = "here", .process = 1, .doing = {}, .written = unix_seconds()};
  ASSERT_TRUE(write_heartbeat(folder.path(), beat));
  EXPECT_EQ(read_run_overview(folder.path()).condition, RunCondition::kRunning);
  beat.written -= 1000;
  ASSERT_TRUE(write_heartbeat(folder.path(), beat));
  EXPECT_EQ(read_run_overview(folder.path()).condition, RunCondition::kSilent);
}

TEST(RunOverview, is_done_after_the_last_step) {
  const TemporaryFolder folder;
  write_bytes(folder / "metrics.jsonl", "{\"step\": 4, \"loss\": 5.5}\n");
  write_bytes(folder / "config.yaml", "training: {steps: 4}\n");
  EXPECT_EQ(read_run_overview(folder.path()).condition, RunCondition::kDone);
  write_bytes(folder / "config.yaml", "training: {steps: 5}\n");
  EXPECT_EQ(read_run_overview(folder.path()).condition, RunCondition::kStopped);
  write_bytes(folder / "results.json", "{}");
  EXPECT_EQ(read_run_overview(folder.path()).condition, RunCondition::kDone) << "fine-tuning may stop early";
}

TEST(RunOverview, keeps_some_thousand_losses_of_a_long_run) {
  const TemporaryFolder folder;
  std::string lines;
  for (int i = 1; i <= 20'000; ++i) lines += "{\"step\": " + std::to_string(i) + ", \"loss\": 2}\n";
  write_bytes(folder / "metrics.jsonl", lines);
  const RunOverview run = read_run_overview(folder.path());
  EXPECT_LE(run.losses.size(), 4096U);
  EXPECT_GE(run.losses.size(), 1000U);
  EXPECT_EQ(std::accumulate(run.losses.begin(), run.losses.end(), 0.0),
            2.0 * static_cast<double>(run.losses.size()));
}

}  // namespace
}  // namespace nystrom
