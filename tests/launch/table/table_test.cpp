// `nystrom table`: what it makes of the files of finished runs.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "kernels/core/check.h"
#include "launch/table/published.h"
#include "launch/table/result_table.h"
#include "temporary_folder.h"

namespace nystrom {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

struct MadeRun {
  std::string name = {}, task = "LRA ListOps", kind = "nystrom", rate = "1e-4";
  int seed = 1, right = 400;  // of 1,000 test examples, 200 of them of the class 9
  std::string data = "ListOps, x; SHA-256 12";
};

class Table : public ::testing::Test {
 protected:
  void write(const std::string& name, const std::string& text) const {
    fs::create_directories(fs::path(folder_ / name).parent_path());
    std::ofstream(folder_ / name, std::ios::binary) << text;
  }
  std::string make(const MadeRun& run) const {
    const std::string folder = run.name + "/";
    write(folder + "results.json",
          fmt::format(R"({{"accuracy": {0}, "task": "{1}", "seed": {2}, "data": "{3}", "best_by": "accuracy",
                          "validation": {{"accuracy": 0.9}}, "test": {{"accuracy": {0}}}}})",
                      run.right / 1000.0, run.task, run.seed, run.data));
    write(
        folder + "config.yaml",
        fmt::format(
            "seed: {}\nrun: {{directory: {}}}\nmodel: {{attention: {{kind: {}, landmarks: 32, convolution: 0}}}}\n"
            "optimizer: {{learning_rate: {}}}\ndata: {{sequence_length: 2000}}\n",
            run.seed, run.name, run.kind, run.rate));
    std::string predictions = "id\tprediction\tlabel";
    for (int c = 0; c < 10; ++c) predictions += fmt::format("\tprobability:{}", c);
    for (int i = 0; i < 1000; ++i)
      predictions += fmt::format("\n{}\t0\t{}{}", i, i < 200 ? 9 : i % 8, std::string(10, '\t'));
    write(folder + "predictions.tsv", predictions);
    write(
        folder + "metrics.jsonl",
        "{\"step\": 1, \"tokens_per_second\": 100.0, \"seconds\": 30}\n{\"step\": 1, \"validation_accuracy\": 1}\n"
        "{\"step\": 2, \"tokens_per_second\": 300.0, \"seconds\": 60}\n{\"step\": 3, \"tokens_per_second\": 200.0, "
        "\"seconds\": 120}\n");
    write(folder + "run.json", R"([{"parameters": 123456, "memory_bytes": 2097152}])");
    return folder_ / run.name;
  }
  [[nodiscard]] static std::vector<TableEntry> entries(const std::vector<std::string>& paths) {
    std::vector<RunResult> runs;
    for (const auto& path : paths)
      for (auto& run : read_runs(path)) runs.push_back(run);
    return table_entries(runs);
  }

  testing::TemporaryFolder folder_;
};

TEST_F(Table, runs_that_differ_in_the_seed_are_one_row) {
  const auto made =
      entries({make({.name = "a", .seed = 1, .right = 400}), make({.name = "b", .seed = 2, .right = 500}),
               make({.name = "c", .seed = 3, .right = 410}), make({.name = "d", .kind = "softmax"})});
  ASSERT_EQ(made.size(), 2U);
  EXPECT_EQ(made[0].variant, "nystrom 32");
  EXPECT_EQ(made[1].variant, "softmax");
  EXPECT_EQ(made[0].runs.size(), 3U);
  EXPECT_DOUBLE_EQ(made[0].median, 0.41);
  EXPECT_DOUBLE_EQ(made[0].least, 0.4);
  EXPECT_DOUBLE_EQ(made[0].most, 0.5);
  EXPECT_NEAR(*made[0].standard_error, std::sqrt(0.41 * 0.59 / 1000), 1e-12);
  EXPECT_DOUBLE_EQ(*made[0].trivial, 0.2);
  const std::string text = table_markdown(table_sections(made));
  EXPECT_THAT(text, HasSubstr("| nystrom 32 | 41.0 (40.0 to 50.0) ± 1.6 |"));
  EXPECT_THAT(text, HasSubstr("| softmax | 40.0 ± 1.5 |"));
  EXPECT_THAT(text, HasSubstr("| chance | 10.0 |"));
  EXPECT_THAT(text, HasSubstr("| most frequent class | 20.0 |"));
  EXPECT_THAT(
      text,
      HasSubstr(
          "| LRA ListOps | nystrom 32 | 3 | accuracy | test | 1000 | 2000 | 123 K | 200 | 2 MiB | 2.0 |"));
  EXPECT_THAT(text, HasSubstr("LRA ListOps: ListOps, x; SHA-256 12."));
  EXPECT_THAT(text, Not(HasSubstr("different data")));
}

TEST_F(Table, other_settings_and_other_data_are_distinguished) {
  const auto made = entries({make({.name = "a"}), make({.name = "b", .rate = "1e-3", .data = "other"})});
  ASSERT_EQ(made.size(), 2U);
  EXPECT_THAT(made[0].variant, HasSubstr("nystrom 32, learning_rate="));
  EXPECT_NE(made[0].variant, made[1].variant);
  EXPECT_THAT(table_markdown(table_sections(made)), HasSubstr("The runs of LRA ListOps had different data:"));
}

TEST_F(Table, a_score_at_chance_is_not_learned) {
  const auto made =
      entries({make({.name = "a", .right = 220}), make({.name = "b", .kind = "softmax", .right = 240})});
  EXPECT_FALSE(made[0].learned());  // 20 and two standard errors of 1.3
  EXPECT_TRUE(made[1].learned());
  EXPECT_THAT(table_markdown(table_sections(made)), HasSubstr("22.0 ± 1.3, not learned |"));
  EXPECT_THAT(table_html(table_sections(made)),
              HasSubstr("<td class=\"failed\">22.0 ± 1.3, not learned</td>"));
  EXPECT_THAT(
      table_csv(made),
      HasSubstr(
          "run,LRA ListOps,nystrom 32,accuracy,0.22,0.22,0.22,0.0130996,1,no,1000,2000,123456,200,2097152,2,\"ListOps, x; SHA-256 12\","));
}

TEST_F(Table, the_benchmarks_tasks_come_first_and_have_published_numbers) {
  const auto made = entries({make({.name = "a", .task = "Another task"}),
                             make({.name = "b", .task = "LRA Text"}), make({.name = "c"})});
  EXPECT_EQ(made[0].task, "LRA ListOps");
  EXPECT_EQ(made[1].task, "LRA Text");
  EXPECT_EQ(made[2].task, "Another task");
  const std::string text = table_markdown(table_sections(made));
  EXPECT_THAT(text, HasSubstr("| best guess from 2 levels of the tree | 61.1 | | |"));
  EXPECT_THAT(text, HasSubstr("| nystrom | 37.15 | 65.52 | Nyströmformer"));
  EXPECT_THAT(text,
              HasSubstr("Only runs on the same data compare with these: ListOps of 501 to 1,999 tokens"));
  EXPECT_THAT(text, Not(HasSubstr("LRA Image")));
  const auto other = entries({folder_ / "a"});
  EXPECT_EQ(table_sections(other).size(), 2U);
  EXPECT_THAT(table_markdown(table_sections(other)), Not(HasSubstr("levels")));
}

TEST_F(Table, every_published_source_is_described) {
  for (const PublishedRow& row : published_rows())
    EXPECT_EQ(std::ranges::count(published_sources(), row.source, &PublishedSource::source), 1) << row.source;
}

TEST_F(Table, a_grid_is_its_finished_runs) {
  (void)make({.name = "grid/seed=1"});
  (void)make({.name = "grid/seed=2", .seed = 2, .right = 420});
  write("grid/seed=3/config.yaml", "seed: 3\n");
  const auto made = entries({folder_ / "grid"});
  ASSERT_EQ(made.size(), 1U);
  EXPECT_EQ(made[0].runs.size(), 2U);
  EXPECT_DOUBLE_EQ(made[0].median, 0.41);
}

TEST_F(Table, what_is_not_a_finished_run_is_refused) {
  const auto refusal = [&](const std::string& name) -> std::string {
    try {
      (void)read_runs(folder_ / name);
    } catch (const InputError& error) {
      return error.what();
    }
    return "not refused";
  };
  EXPECT_THAT(refusal("nowhere"), HasSubstr("nowhere has no results.json"));
  (void)make({.name = "a"});
  write("a/results.json", "{");
  EXPECT_THAT(refusal("a"), HasSubstr("a/results.json is not valid JSON"));
  write("a/results.json", "{\"task\": \"t\"}");
  EXPECT_THAT(refusal("a"), HasSubstr("a/results.json has no labelled split"));
  write("a/results.json", "{\"task\": \"t\", \"best_by\": \"f1\", \"test\": {\"f1\": null}}");
  EXPECT_THAT(refusal("a"), HasSubstr("f1 of test is undefined"));
}

TEST_F(Table, a_run_without_labels_metrics_or_parameters_has_blanks) {
  const std::string path = make({.name = "a"});
  write("a/predictions.tsv", "id\tprediction\n0\t1\n");
  write("a/run.json", "[{\"date\": \"today\"}]");
  fs::remove(folder_ / "a/metrics.jsonl");
  const auto made = entries({path});
  EXPECT_TRUE(made[0].learned());
  const std::string text = table_markdown(table_sections(made));
  EXPECT_THAT(text, HasSubstr("| nystrom 32 | 40.0 |"));
  EXPECT_THAT(text, HasSubstr("| LRA ListOps | nystrom 32 | 1 | accuracy | test | | 2000 | | | | |"));
}

}  // namespace
}  // namespace nystrom
