#include "trainer/metrics/metrics.h"
#include "kernels/core/json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "file_bytes.h"
#include "kernels/core/check.h"
#include "temporary_folder.h"

namespace nystrom {
namespace {

using ::testing::HasSubstr;

StepReport report_of(std::int64_t step) {
  StepReport report;
  report.step = step;
  report.losses = {.loss = 10.0 / 3, .terms = {{"mlm", 8.0 / 3, 0.25, 17}, {"sop", 2.0 / 3, 0.5, 6}}};
  report.learning_rate = 1e-4;
  report.gradient_norm = 0.1;
  report.tokens_per_second = 1234.56;
  report.samples = 8 * step;
  report.seconds = 1.5;
  return report;
}

TEST(Metrics, line_has_the_documented_keys_and_exact_numbers) {
  const auto line = parse_json<nlohmann::json>(metrics_line(report_of(3)));
  EXPECT_EQ(line.at("step"), 3);
  EXPECT_EQ(line.at("loss").get<double>(), 10.0 / 3);
  EXPECT_EQ(line.at("mlm_loss").get<double>(), 8.0 / 3);
  EXPECT_EQ(line.at("sop_loss").get<double>(), 2.0 / 3);
  EXPECT_EQ(line.at("mlm_accuracy"), 0.25);
  EXPECT_EQ(line.at("sop_accuracy"), 0.5);
  for (const char* key : {"learning_rate", "gradient_norm", "tokens_per_second", "samples", "seconds"})
    EXPECT_TRUE(line.contains(key)) << key;
  EXPECT_FALSE(line.contains("pinv_residual"));
  EXPECT_FALSE(line.contains("skipped"));
}

TEST(Metrics, epochs_are_reported_for_several_corpora) {
  StepReport report = report_of(1);
  report.epochs_of = {{"books", 0.25}};
  EXPECT_FALSE(parse_json<nlohmann::json>(metrics_line(report)).contains("epochs_of"));
  report.epochs_of.emplace_back("wiki\"\n", 1.5);  // whatever a shard may name its corpora
  const auto line = parse_json<nlohmann::json>(metrics_line(report));
  EXPECT_EQ(line.at("epochs_of"), (nlohmann::json{{"books", 0.25}, {"wiki", 1.5}}));
}

TEST(Metrics, non_finite_numbers_are_null) {
  StepReport report = report_of(1);
  report.losses.loss = std::nan("");
  report.gradient_norm = std::numeric_limits<double>::infinity();
  report.pinv_residual_mean = {0.5, 0.25};
  report.skipped = true;
  const auto line = parse_json<nlohmann::json>(metrics_line(report));
  EXPECT_TRUE(line.at("loss").is_null());
  EXPECT_TRUE(line.at("gradient_norm").is_null());
  EXPECT_EQ(line.at("pinv_residual").size(), 2U);
  EXPECT_EQ(line.at("skipped"), true);
}

TEST(Metrics, validation_has_separate_lines) {
  const auto line = parse_json<nlohmann::json>(
      metrics_line(ValidationReport{.step = 4, .losses = report_of(4).losses, .seconds = 2}));
  EXPECT_EQ(line.at("step"), 4);
  EXPECT_EQ(line.at("validation_loss").get<double>(), 10.0 / 3);
  EXPECT_EQ(line.at("validation_mlm_labels"), 17);
  EXPECT_FALSE(line.contains("loss"));
}

TEST(Metrics, resume_truncates_to_the_checkpoint) {
  const testing::TemporaryFolder folder;
  const std::string path = (folder / "metrics.jsonl");
  {
    MetricsFile file(path, 0);
    for (std::int64_t step = 1; step <= 5; ++step) file.step(report_of(step));
  }
  std::string expected = testing::read_bytes(path);
  testing::write_bytes(path, expected + "{\"step\": 6, \"lo");  // killed in the middle of a line
  {
    MetricsFile file(path, 3);
    file.step(report_of(4));
  }
  expected.clear();
  for (std::int64_t step = 1; step <= 4; ++step) expected += metrics_line(report_of(step)) + "\n";
  EXPECT_EQ(testing::read_bytes(path), expected);
}

TEST(Metrics, incomplete_last_line_is_dropped) {
  const testing::TemporaryFolder folder;
  const std::string path = (folder / "metrics.jsonl");
  testing::write_bytes(path, metrics_line(report_of(1)) + "\n" + metrics_line(report_of(2)));
  const MetricsFile file(path, 2);
  EXPECT_EQ(testing::read_bytes(path), metrics_line(report_of(1)) + "\n");
}

TEST(Metrics, a_link_is_not_followed) {
  const testing::TemporaryFolder folder;
  testing::write_bytes(folder / "mine", "precious\n");
  std::filesystem::create_symlink("mine", folder / "metrics.jsonl");
  try {
    MetricsFile file(folder / "metrics.jsonl", 0);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("metrics.jsonl is a link"));
  }
  EXPECT_EQ(testing::read_bytes(folder / "mine"), "precious\n");
}

TEST(Metrics, unwritable_file_is_named) {
  const testing::TemporaryFolder folder;
  try {
    const MetricsFile file((folder / "no/metrics.jsonl"), 0);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("no/metrics.jsonl"));
  }
}

}  // namespace
}  // namespace nystrom
