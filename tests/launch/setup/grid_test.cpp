#include "launch/setup/grid.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "file_bytes.h"
#include "kernels/core/check.h"
#include "launch/config/options.h"
#include "temporary_folder.h"

namespace nystrom {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string refusal(const std::string& yaml) {
  try {
    (void)grid_points(read_config_text(yaml, "c.yaml").grid);
  } catch (const InputError& error) {
    return error.what();
  }
  return {};
}

TEST(Grid, has_a_point_for_every_combination_in_the_order_of_the_file) {
  const Config config = read_config_text(
      "run: {directory: g}\ngrid: {optimizer.learning_rate: [2.0e-5, 3.0e-5], seed: [1, 2]}\n", "c.yaml");
  const auto points = grid_points(config.grid);
  std::vector<std::string> names;
  for (const auto& point : points) names.push_back(point.name);
  EXPECT_THAT(names, ElementsAre("learning_rate=2.0e-5,seed=1", "learning_rate=2.0e-5,seed=2",
                                 "learning_rate=3.0e-5,seed=1", "learning_rate=3.0e-5,seed=2"));
  const Config third = config_of(config, points[2]);
  EXPECT_EQ(third.optimizer.learning_rate, 3e-5);
  EXPECT_EQ(third.seed, 1);
  EXPECT_TRUE(third.grid.empty());
  EXPECT_EQ(third.run.directory, "g/learning_rate=3.0e-5,seed=1");
}

TEST(Grid, is_written_and_read_back) {
  const Config config = read_config_text("grid: {task.metric: [f1, accuracy], seed: [3]}\n", "c.yaml");
  EXPECT_EQ(read_config_text(to_yaml(config), "again").grid, config.grid);
}

TEST(Grid, refuses_keys_that_cannot_be_varied) {
  EXPECT_THAT(refusal("grid: {optimiser.learning_rate: [1]}\n"), HasSubstr("optimizer.learning_rate"));
  EXPECT_THAT(refusal("grid: {run.directory: [a, b]}\n"), HasSubstr("is not a key that a grid can vary"));
  EXPECT_THAT(refusal("grid: {seed: 3}\n"), HasSubstr("a list of values"));
  EXPECT_THAT(refusal("grid: {seed: []}\n"), HasSubstr("a list of values"));
  EXPECT_THAT(refusal("grid: {training.global_batch: [8, many]}\n"), HasSubstr("an integer"));
  EXPECT_THAT(refusal("grid: {seed: [1, 1]}\n"), HasSubstr("appears twice"));
}

GridResult result(const std::string& rate, const std::string& seed, double accuracy) {
  return grid_result({"rate=" + rate + ",seed=" + seed, {{"optimizer.learning_rate", rate}, {"seed", seed}}},
                     fmt::format(R"({{"accuracy": {0}, "best_by": "accuracy", "task": "T",
                                     "validation": {{"accuracy": {0}, "f1": null}},
                                     "test": {{"accuracy": 0.5}}}})",
                                 accuracy));
}

TEST(Grid, takes_the_median_over_seeds_and_the_best_of_medians) {
  const GridTable table = grid_table({result("1", "1", 0.9), result("1", "2", 0.1), result("1", "3", 0.2),
                                      result("2", "1", 0.5), result("2", "2", 0.3), result("2", "3", 0.4)});
  EXPECT_THAT(table.text, HasSubstr("learning_rate=1\t3\t0.2\t0.1\t0.9\t0\t0\t0\t"));
  EXPECT_THAT(table.text, HasSubstr("\tvalidation f1: 3 of 3, counted as 0\n"));
  EXPECT_THAT(table.text, HasSubstr("learning_rate=2\t3\t0.4\t0.3\t0.5"));
  EXPECT_EQ(table.best, "The best point by validation accuracy is learning_rate=2 (0.4)");
  EXPECT_THAT(table.json, HasSubstr("\"median\": 0.4"));
}

GridResult run_of(const std::string& rate, const std::string& seed, const std::string& metric,
                  const std::string& value) {
  const bool defined = value != "null";
  return grid_result({"rate=" + rate + ",seed=" + seed, {{"optimizer.learning_rate", rate}, {"seed", seed}}},
                     fmt::format(R"({{{0}"validation": {{"{1}": {2}}}}})",
                                 defined ? fmt::format(R"("best_by": "{}", )", metric) : "", metric, value));
}

TEST(Grid, counts_a_collapsed_run_as_the_worst) {
  const GridTable table = grid_table(
      {run_of("1", "1", "matthews_correlation", "null"), run_of("1", "2", "matthews_correlation", "0.6"),
       run_of("2", "1", "matthews_correlation", "0.4"), run_of("2", "2", "matthews_correlation", "0.5")});
  EXPECT_THAT(table.text, HasSubstr("learning_rate=1\t2\t0.3\t0\t0.6\tvalidation matthews_correlation: "
                                    "1 of 2, counted as 0\n"));
  EXPECT_THAT(table.text, HasSubstr("learning_rate=2\t2\t0.45\t0.4\t0.5\tnone\n"));
  EXPECT_THAT(table.json, HasSubstr("\"undefined\": \"1 of 2, counted as 0\""));
  EXPECT_EQ(table.best, "The best point by validation matthews_correlation is learning_rate=2 (0.45)");
}

TEST(Grid, counts_an_undefined_correlation_as_minus_one_and_an_undefined_error_as_infinite) {
  const GridTable correlations =
      grid_table({run_of("1", "1", "pearson", "-0.2"), run_of("2", "1", "pearson", "null")});
  EXPECT_THAT(correlations.text, HasSubstr("learning_rate=2\t1\t-1\t-1\t-1\t"));
  EXPECT_THAT(correlations.best, HasSubstr("is learning_rate=1 (-0.2)"));
  const GridTable errors = grid_table(
      {run_of("1", "1", "mean_squared_error", "null"), run_of("1", "2", "mean_squared_error", "0.1"),
       run_of("2", "1", "mean_squared_error", "3"), run_of("2", "2", "mean_squared_error", "4")});
  EXPECT_THAT(errors.text, HasSubstr("learning_rate=1\t2\tinf\t0.1\tinf\t"));
  EXPECT_THAT(errors.best, HasSubstr("is learning_rate=2 (3.5)"));
}

TEST(Grid, has_no_best_point_where_every_run_collapsed) {
  const GridTable table = grid_table({run_of("1", "1", "f1", "null"), run_of("2", "1", "f1", "null")});
  EXPECT_THAT(table.best, HasSubstr("No point is the best"));
}

TEST(Grid, names_the_best_run_of_the_best_point) {
  const GridTable table = grid_table({result("1", "1", 0.9), result("1", "2", 0.1), result("1", "3", 0.2),
                                      result("2", "1", 0.5), result("2", "2", 0.3), result("2", "3", 0.4)});
  EXPECT_EQ(table.best_run, "rate=2,seed=1");
  EXPECT_THAT(table.json, HasSubstr("\"run\": \"rate=2,seed=1\""));
  EXPECT_EQ(grid_table({run_of("1", "1", "f1", "null")}).best_run, "");
}

TEST(Grid, keeps_the_best_run_and_takes_another_in_its_place) {
  namespace fs = std::filesystem;
  const testing::TemporaryFolder folder;
  for (const char* run : {"a", "b"}) {
    fs::create_directories(folder / run + std::string("/checkpoints"));
    fs::create_directories(folder / run + std::string("/leaderboard"));
    for (const char* name : {"/results.json", "/checkpoints/best.h5", "/checkpoints/step-1.h5",
                             "/leaderboard/RTE.tsv", "/events.out.tfevents.1.nystrom"})
      std::ofstream(folder / run + std::string(name)) << run;
  }
  const auto text = [&](const char* name) {
    return testing::read_bytes(folder / (std::string("best/") + name));
  };
  keep_best_run(folder.path(), "a");
  for (const char* name : {"results.json", "checkpoints/best.h5", "leaderboard/RTE.tsv"})
    EXPECT_EQ(text(name), "a");
  EXPECT_FALSE(fs::exists(folder / "best/checkpoints/step-1.h5"));
  EXPECT_FALSE(fs::exists(folder / "best/events.out.tfevents.1.nystrom"));
  keep_best_run(folder.path(), "b");
  for (const char* name : {"results.json", "checkpoints/best.h5", "leaderboard/RTE.tsv"})
    EXPECT_EQ(text(name), "b");
  keep_best_run(folder.path(), "");
  EXPECT_FALSE(fs::exists(folder / "best"));
}

TEST(Configurations, all_load_and_mean_models_that_can_be_built) {
  std::size_t count = 0;
  for (const auto& file : std::filesystem::directory_iterator(NYSTROM_SOURCE "/configs")) {
    if (file.path().extension() != ".yaml") continue;
    ++count;
    SCOPED_TRACE(file.path().string());
    Config config = read_config(file.path().string(), {});
    (void)grid_points(config.grid);
    for (const auto& point : grid_points(config.grid))
      config = config_of(read_config(file.path().string(), {}), point);
    config.model.vocabulary_size = config.tokenizer.vocabulary_size;
    const ModelConfig model = model_options(config, nullptr);
    EXPECT_LE(sequence_length(config, model), model.max_positions);
    EXPECT_TRUE(!config.task.kind.empty() || config.gives("training.steps"));
    EXPECT_FALSE(config.run.directory.empty());
  }
  EXPECT_GE(count, 10U);
}

}  // namespace
}  // namespace nystrom
