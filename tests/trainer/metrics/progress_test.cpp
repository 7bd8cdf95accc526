#include "trainer/metrics/progress.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

namespace nystrom {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

StepReport report_of(std::int64_t step, double seconds) {
  StepReport report;
  report.step = step;
  report.steps = 10;
  report.losses = {.loss = 2.5, .terms = {{"mlm", 2.0, 0.5, 4}, {"sop", 0.5, 1.0, 2}}};
  report.tokens_per_second = 12345;
  report.seconds = seconds;
  report.seconds_left = 3725;
  return report;
}

TEST(Progress, durations_are_formatted_briefly) {
  EXPECT_EQ(duration_text(7.4), "0:07");
  EXPECT_EQ(duration_text(245), "4:05");
  EXPECT_EQ(duration_text(3723), "1:02:03");
  EXPECT_EQ(duration_text(-1), "?");
}

TEST(Progress, a_start_counts_parameters_one_by_one_or_in_millions) {
  RunInfo info;
  info.steps = 4, info.precision = "fp32", info.parameters = 27662;
  EXPECT_THAT(describe(info), StartsWith("27662 parameters, fp32; steps 1 to 4"));
  info.parameters = 6'540'000;
  EXPECT_THAT(describe(info), StartsWith("6.5 million parameters, fp32"));
}

TEST(Progress, a_validation_without_a_loss_shows_its_scores_alone) {
  ValidationReport report{.step = 40, .losses = report_of(40, 1).losses, .seconds = 2};
  report.scores = {{"spearmanr", 0.75}, {"pearson", 0.5}};
  EXPECT_THAT(describe(report), StartsWith("validation at step 40: loss 2.5000 "));
  EXPECT_THAT(describe(report), HasSubstr("  spearmanr 0.7500  pearson 0.5000, 2.0 s"));
  report.losses = {.loss = std::numeric_limits<double>::quiet_NaN(), .terms = {}};
  EXPECT_EQ(describe(report), "validation at step 40: spearmanr 0.7500  pearson 0.5000, 2.0 s");
}

TEST(Progress, bar_has_loss_speed_time_left_and_constant_width) {
  const std::string line = progress_line(report_of(5, 1), 100);
  EXPECT_THAT(line, StartsWith("[###"));
  for (const char* text : {" 50%", "5/10", "loss 2.5000", "12.3k tokens/s", "1:02:05 left"})
    EXPECT_THAT(line, HasSubstr(text));
  for (int columns : {20, 60, 80, 200})
    EXPECT_LT(progress_line(report_of(5, 1), columns).size(), columns + 0U);
}

TEST(Progress, message_is_printed_above_the_bar) {
  std::string out;
  ProgressBar bar([&out](std::string_view text) { out += text; });
  bar.step(report_of(5, 1));
  bar.warning("Something is odd.");
  bar.finished(StopReason::kDone);
  EXPECT_THAT(out, HasSubstr("\rwarning: Something is odd.\n\r["));
  EXPECT_EQ(out.back(), '\n');
}

TEST(Progress, plain_lines_are_throttled_except_the_last_step) {
  std::vector<std::string> lines;
  ProgressLines progress([&lines](ProgressLines::Level, const std::string& line) { lines.push_back(line); },
                         10);
  progress.step(report_of(1, 1));
  progress.step(report_of(2, 5));
  progress.step(report_of(3, 12));
  progress.step(report_of(10, 13));
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_THAT(lines[0],
              HasSubstr("step 1/10  loss 2.5000 (mlm 2.0000, sop 0.5000)  accuracy mlm 0.500, sop 1.000"));
  EXPECT_THAT(lines[1], StartsWith("step 3/"));
  EXPECT_THAT(lines[2], StartsWith("step 10/"));
}

}  // namespace
}  // namespace nystrom
