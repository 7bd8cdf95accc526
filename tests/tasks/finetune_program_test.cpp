// `nystrom finetune` and `evaluate` as a user runs them, on a task of made-up texts.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "../launch/program.h"
#include "kernels/core/philox.h"
#include "tests_text.h"

namespace nystrom {
namespace {

using ::testing::HasSubstr;
using Json = nlohmann::json;

/// Words of no meaning, and one that decides: "tin" or "net".
std::string made_up_rows(std::uint64_t seed, int count) {
  constexpr const char* kNoise[] = {"one", "two", "three", "four", "five", "six", "ten"};
  std::string rows = "text\tlabel\n";
  for (int i = 0; i < count; ++i) {
    Random random(seed, Purpose::kTest, static_cast<std::uint64_t>(i));
    const std::uint64_t words = 4 + random.below(8), place = random.below(words), side = random.below(2);
    for (std::uint64_t w = 0; w < words; ++w) {
      if (w > 0) rows += ' ';
      rows += w == place ? (side == 0 ? "tin" : "net") : kNoise[random.below(7)];
    }
    rows += side == 0 ? "\tmetal\n" : "\tmesh\n";
  }
  return rows;
}

constexpr const char* kConfig = R"(
run: {directory: run, threads: 1}
tokenizer: {path: t.model}
task: {kind: classification, path: data}
model: {hidden_size: 32, layers: 1, heads: 2, intermediate_size: 64, max_positions: 64, dropout: 0.1,
        attention: {landmarks: 4, convolution: 3}}
data: {sequence_length: 64}
training: {epochs: 6, global_batch: 16, precision: fp32}
optimizer: {learning_rate: 5.0e-3}
schedule: {warmup_share: 0.1}
)";

class Finetune : public ::testing::Test {
 protected:
  void SetUp() override {
    write("t.model", testing::letter_tokenizer().bytes());
    std::filesystem::create_directories(folder_ / "data");
    write("data/train.tsv", made_up_rows(1, 200));
    write("data/dev.tsv", made_up_rows(2, 60));
    write("data/test.tsv", made_up_rows(3, 61));
    write("c.yaml", kConfig);
  }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name, std::ios::binary) << text;
  }
  [[nodiscard]] Outcome run(const std::string& command) const { return run_in(folder_, command); }
  [[nodiscard]] Json results(const std::string& directory) const {
    return Json::parse(text_of(folder_ / (directory + "/results.json")));
  }
  /// The losses of all steps.
  [[nodiscard]] std::vector<double> losses(const std::string& directory) const {
    std::ifstream file(folder_ / (directory + "/metrics.jsonl"));
    std::vector<double> found;
    for (std::string line; std::getline(file, line);)
      if (const Json object = Json::parse(line); object.contains("loss")) found.push_back(object["loss"]);
    return found;
  }

  TemporaryFolder folder_;
};

TEST_F(Finetune, learns_a_task_keeps_the_best_and_predicts_in_order) {
  const Outcome outcome = run("$nystrom finetune c.yaml");
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const Json found = results("run");
  EXPECT_GE(found["test"]["accuracy"], 0.9);
  EXPECT_EQ(found["accuracy"], found["test"]["accuracy"]);
  EXPECT_GT(found["best_step"], 0);
  EXPECT_EQ(losses("run").size(), 6 * 13U);
  std::istringstream predictions(text_of(folder_ / "run/predictions.tsv"));
  std::string line;
  std::getline(predictions, line);
  EXPECT_EQ(line, "id\tprediction\tlabel\tprobability:mesh\tprobability:metal");
  for (int row = 0; std::getline(predictions, line); ++row)
    EXPECT_TRUE(line.starts_with(std::to_string(row) + "\t"));
  EXPECT_THAT(text_of(folder_ / "run/report.html"), HasSubstr("Confusion, test"));

  const Outcome again = run("$nystrom evaluate c.yaml");
  ASSERT_EQ(again.status, 0) << again.err;
  EXPECT_EQ(Json::parse(again.out)["test"], found["test"]);

  write("data/train.tsv", "text\tlabel\none\ta\ntwo\tb\nsix\tc\n");
  const std::string next =
      "$nystrom finetune c.yaml --set model.from=run/checkpoints/best.h5 --set run.directory=next "
      "--set training.epochs=1 --set task.validation=train.tsv --set task.test=train.tsv";
  const Outcome refused = run(next);
  EXPECT_EQ(refused.status, 2);
  EXPECT_THAT(refused.err, HasSubstr("a head for another number of labels"));
  EXPECT_EQ(run(next + " --set model.reinitialize_head=true").status, 0);
}

TEST_F(Finetune, two_ranks_and_other_micro_batches_learn_as_one_does) {
  ASSERT_EQ(run("$nystrom finetune c.yaml --set training.epochs=2").status, 0);
  const auto mpirun = std::string(
      "mpirun --allow-run-as-root --oversubscribe -n 2 $nystrom finetune c.yaml "
      "--set training.epochs=2 --set training.micro_batch=3 --set run.directory=two");
  const Outcome outcome = run(mpirun);
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const auto one = losses("run"), two = losses("two");
  ASSERT_EQ(one.size(), two.size());
  for (std::size_t i = 0; i < one.size(); ++i) EXPECT_NEAR(one[i], two[i], 1e-4 * one[i]) << i;
  EXPECT_EQ(results("run")["test"], results("two")["test"]);
}

TEST_F(Finetune, a_stopped_run_goes_on_to_the_same_weights) {
  // Long enough that the signal meets it under way.
  const std::string command = "$nystrom finetune c.yaml --set training.epochs=60";
  ASSERT_EQ(run(command).status, 0);
  const std::string again = command + " --set run.directory=again";
  const Outcome stopped =
      run(again +
          " & p=$!; until [ -f again/metrics.jsonl ] && "
          "[ $(wc -l < again/metrics.jsonl) -ge 20 ]; do sleep 0.01; done; kill -TERM $p; wait $p");
  ASSERT_EQ(stopped.status, 3) << stopped.err;
  ASSERT_LT(losses("again").size(), losses("run").size());
  ASSERT_EQ(run(again).status, 0);
  EXPECT_EQ(losses("again"), losses("run"));
  EXPECT_EQ(text_of(folder_ / "again/results.json"), text_of(folder_ / "run/results.json"));
  EXPECT_EQ(text_of(folder_ / "again/predictions.tsv"), text_of(folder_ / "run/predictions.tsv"));
}

TEST_F(Finetune, what_cannot_be_is_refused_before_anything_is_written) {
  const auto refusal = [&](const std::string& set) {
    const Outcome outcome = run("$nystrom finetune c.yaml --set run.directory=no " + set);
    EXPECT_EQ(outcome.status, 2) << set;
    EXPECT_FALSE(std::filesystem::exists(folder_ / "no")) << set;
    return outcome.err;
  };
  EXPECT_THAT(refusal("--set task.kind=lra"), HasSubstr("not built yet"));
  EXPECT_THAT(refusal("--set task.columns.text=review"), HasSubstr("no column `review`"));
  EXPECT_THAT(refusal("--set task.metric=bleu"), HasSubstr("task.metric"));
  EXPECT_THAT(refusal("--set task.labels=[metal]"), HasSubstr("is no known label"));
  EXPECT_THAT(refusal("--set model.vocabulary_size=20"), HasSubstr("tokenizer"));
  EXPECT_THAT(refusal("--set tokenizer.path=c.yaml"), HasSubstr("c.yaml"));
}

}  // namespace
}  // namespace nystrom
