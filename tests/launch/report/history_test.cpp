// Metrics of a run in bounded memory: lines, series, and a file that grows while it is read.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <limits>

#include "file_bytes.h"
#include "launch/report/history.h"
#include "temporary_folder.h"
#include "trainer/metrics/metrics.h"

namespace nystrom {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using testing::TemporaryFolder;
using testing::write_bytes;

TEST(Series, keeps_each_value_while_they_are_few) {
  Series series;
  for (int step = 1; step <= 5; ++step) series.add(step, step * step);
  ASSERT_EQ(series.even().size(), 5U);
  EXPECT_EQ(series.even()[3].mean(), 16);
  EXPECT_EQ(series.width(), 1);
  EXPECT_EQ(series.last(), 25);
}

TEST(Series, of_a_million_steps_keeps_mean_least_and_most_of_each_bucket) {
  Series series;
  for (std::int64_t step = 1; step <= 1'000'000; ++step) series.add(step, static_cast<double>(step % 10));
  EXPECT_LE(series.even().size(), Series::kMaxBuckets);
  EXPECT_GT(series.even().size(), Series::kMaxBuckets / 4);
  EXPECT_LT(series.by_octave().size(), 700U);
  std::int64_t all = 0;
  for (const Bucket& bucket : series.even()) {
    EXPECT_NEAR(bucket.mean(), 4.5, 0.05);
    EXPECT_EQ(bucket.least, 0);
    EXPECT_EQ(bucket.most, 9);
    EXPECT_EQ(bucket.first / series.width(), bucket.last / series.width());
    all += bucket.count;
  }
  EXPECT_EQ(all, 1'000'000);
  EXPECT_EQ(series.even().front().first, 1);
  EXPECT_EQ(series.even().back().last, 1'000'000);
}

TEST(Series, knows_extremes_and_leaves_out_what_is_not_finite) {
  Series series;
  for (const double value : {5.0, 2.0, std::nan(""), 7.0, 2.0}) series.add(series.count() + 1, value);
  EXPECT_EQ(series.count(), 4);
  EXPECT_EQ(series.min(), 2);
  EXPECT_EQ(series.min_step(), 2);
  EXPECT_EQ(series.max(), 7);
}

TEST(MetricsLine, reads_what_the_metrics_file_writes) {
  StepReport report;
  report.step = 12;
  report.losses = {1.25, {{"mlm", 1.0, 0.5, 7}}};
  report.gradient_norm = std::nan("");
  report.pinv_residual_mean = {0.1, 0.2};
  report.pinv_residual_max = {0.3, std::nan("")};
  report.epochs_of = {{"books", 0.5}, {"wiki", 1.5}};
  report.skipped = true;
  const std::string text = metrics_line(report);
  MetricsLine line;
  ASSERT_TRUE(read_metrics_line(text, line));
  EXPECT_EQ(line.step, 12);
  std::map<std::string_view, double> numbers(line.numbers.begin(), line.numbers.end());
  EXPECT_EQ(numbers.at("loss"), 1.25);
  EXPECT_EQ(numbers.at("mlm_accuracy"), 0.5);
  EXPECT_TRUE(std::isnan(numbers.at("gradient_norm")));
  EXPECT_EQ(numbers.at("skipped"), 1);
  ASSERT_EQ(line.arrays.size(), 2U);
  EXPECT_THAT(line.arrays[0].values, ElementsAre(0.1, 0.2));
  ASSERT_EQ(line.objects.size(), 1U);
  EXPECT_EQ(line.objects[0].values[1].first, "wiki");
}

TEST(MetricsLine, refuses_partial_and_foreign_lines) {
  MetricsLine line;
  for (const char* text :
       {"", "{", "[]", "{\"step\": 1", "{\"step\": 1, \"loss\": }", "{\"loss\": 2}", "{\"step\": -1}",
        "{\"step\": 1.5}", "{\"step\": 1e300}", "{\"step\": 1} x", "{\"step\": 1, \"a\": [1, [2]]}",
        "{\"step\": null}", "\"step\"", "{\"step\": 1, \"a\\\"b\": 2}", "{\"step\": 1,}"})
    EXPECT_FALSE(read_metrics_line(text, line)) << text;
  EXPECT_TRUE(read_metrics_line("{\"step\":1,\"a\":\"text\",\"b\":[],\"c\":{},\"d\":1e999}\r", line));
  EXPECT_TRUE(std::isnan(line.numbers.back().second));
}

class Follower : public ::testing::Test {
 protected:
  void append(const std::string& text) const {
    std::ofstream(path_, std::ios::app | std::ios::binary) << text;
  }
  static std::string line(int step, double loss) {
    return fmt::format("{{\"step\": {}, \"loss\": {}}}\n", step, loss);
  }

  TemporaryFolder folder_;
  std::string path_ = folder_ / "metrics.jsonl";
  MetricsFollower follower_{path_};
};

TEST_F(Follower, reads_what_is_new) {
  EXPECT_FALSE(follower_.look());
  append(line(1, 5) + line(2, 4));
  EXPECT_TRUE(follower_.look());
  EXPECT_FALSE(follower_.look());
  append(line(3, 3));
  EXPECT_TRUE(follower_.look());
  EXPECT_EQ(follower_.history().of("loss").count(), 3);
  EXPECT_EQ(follower_.history().last_step(), 3);
}

TEST_F(Follower, a_torn_last_line_waits_for_its_end) {
  append(line(1, 5) + "{\"step\": 2, \"lo");
  follower_.look();
  EXPECT_EQ(follower_.history().last_step(), 1);
  EXPECT_EQ(follower_.damaged(), 0);
  append("ss\": 4}\n");
  EXPECT_TRUE(follower_.look());
  EXPECT_EQ(follower_.history().of("loss").last(), 4);
}

TEST_F(Follower, a_truncated_file_is_read_again) {
  append(line(1, 5) + line(2, 4) + line(3, 3));
  follower_.look();
  write_bytes(path_, line(1, 5) + line(2, 4.5) + line(3, 3.5) + line(4, 3.25));
  EXPECT_TRUE(follower_.look());
  EXPECT_EQ(follower_.history().of("loss").count(), 4);
  EXPECT_EQ(follower_.history().of("loss").last(), 3.25);
  fs::remove(path_);
  EXPECT_TRUE(follower_.look());
  EXPECT_EQ(follower_.history().lines(), 0);
}

TEST_F(Follower, of_a_long_file_may_read_the_end_alone) {
  for (int step = 1; step <= 1000; ++step) append(line(step, 1000 - step));
  MetricsFollower end(path_, 100);
  EXPECT_TRUE(end.look());
  EXPECT_EQ(end.damaged(), 0);
  EXPECT_EQ(end.history().last_step(), 1000);
  EXPECT_EQ(end.history().lines(), 3);
  append(line(1001, 7));
  EXPECT_TRUE(end.look());
  EXPECT_EQ(end.history().of("loss").last(), 7);
}

TEST_F(Follower, corrupt_lines_are_counted_and_skipped) {
  append(line(1, 5) + "???\n" + line(0, 9) + line(2, 4));
  follower_.look();
  EXPECT_EQ(follower_.damaged(), 2);
  EXPECT_EQ(follower_.history().of("loss").count(), 2);
}

TEST_F(Follower, opens_no_link_and_no_pipe) {
  write_bytes(folder_ / "other", line(1, 5));
  fs::create_symlink(folder_ / "other", path_);
  EXPECT_FALSE(follower_.look());
  fs::remove(path_);
  ASSERT_EQ(::mkfifo(path_.c_str(), 0600), 0);
  EXPECT_FALSE(follower_.look());
}

TEST_F(Follower, names_without_end_do_not_fill_the_memory) {
  std::string text = "{\"step\": 1";
  for (int i = 0; i < 5000; ++i) text += fmt::format(", \"n{}\": 1", i);
  append(text + "}\n");
  follower_.look();
  EXPECT_EQ(follower_.history().names().size(), History::kMaxSeries);
}

TEST(History, holds_residuals_by_layer_and_epochs_by_corpus) {
  History history;
  MetricsLine line;
  ASSERT_TRUE(read_metrics_line(
      "{\"step\": 5, \"epochs_of\": {\"a\": 0.5}, \"pinv_residual\": [1, 2], \"skipped\": true}", line));
  history.add(line);
  ASSERT_EQ(history.residuals().size(), 2U);
  EXPECT_EQ(history.residuals()[1].last(), 2);
  EXPECT_EQ(history.epochs().at("a").last(), 0.5);
  EXPECT_EQ(history.skipped(), 1);
}

}  // namespace
}  // namespace nystrom
