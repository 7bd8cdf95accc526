// `nystrom finetune` of embeddings as a user runs it, and what `evaluate`, `predict` and `convert` make of
// them. A text of words belongs to one of their digits: which digit a word is must be learned.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "finetune_run.h"

namespace nystrom {
namespace {

using ::testing::HasSubstr;

constexpr const char* kWords[] = {"zebra", "quick", "jump", "vow",  "box",
                                  "lazy",  "dog",   "we",   "have", "many"};

std::string row_of(std::initializer_list<int> digits) {
  std::string words, figures;
  for (const int digit : digits) {
    words += std::string(words.empty() ? "" : " ") + kWords[digit];
    figures += std::string(figures.empty() ? "" : " ") + std::to_string(digit);
  }
  return words + "\t" + figures;
}

class EmbeddingsProgram : public FinetuneFolder {
 protected:
  void SetUp() override {
    write("t.model", testing::letter_tokenizer().bytes());
    std::filesystem::create_directories(folder_ / "data");
    std::string train = "anchor\tpositive\n", pairs = train;
    for (int a = 0; a < 10; ++a)
      for (int b = a + 1; b < 10; ++b) {
        pairs += row_of({a, b}) + "\n";
        for (int c = b + 1; c < 10; ++c) train += row_of({a, b, c}) + "\n";
      }
    write("data/train.tsv", train);
    write("data/dev.tsv", pairs);
    write("c.yaml", R"(
run: {directory: run, threads: 1}
tokenizer: {path: t.model}
task: {kind: embeddings, path: data, sizes: [32, 8]}
model: {hidden_size: 32, layers: 1, heads: 2, intermediate_size: 64, max_positions: 64, dropout: 0.1,
        attention: {landmarks: 4, convolution: 3}}
data: {sequence_length: 64}
training: {epochs: 12, global_batch: 30, precision: fp32}
optimizer: {learning_rate: 5.0e-3}
)");
  }
  /// Vectors of `predict` on standard output.
  [[nodiscard]] std::vector<std::vector<double>> vectors(const std::string& options) const {
    const Outcome outcome =
        run("printf 'zebra box\\n0 4\\n3 4\\n' | $nystrom predict --input - --format jsonl " + options +
            " --set training.precision=fp32");
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    std::istringstream lines(outcome.out);
    std::vector<std::vector<double>> found;
    for (std::string line; std::getline(lines, line);)
      found.push_back(parse_json<Json>(line)["embedding"].get<std::vector<double>>());
    return found;
  }
};

double dot(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) sum += a[i] * b[i];
  return sum;
}

TEST_F(EmbeddingsProgram, check_counts_the_memory_of_the_loss) {
  const Outcome outcome = run("$nystrom check c.yaml --steps 0 --json");
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("in-batch loss")) << outcome.out;
}

TEST_F(EmbeddingsProgram, learn_what_belongs_together_and_are_used_as_they_were_trained) {
  const Outcome outcome = run("$nystrom finetune c.yaml");
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const Json found = json_of("run/results.json");
  const Json first = json_of("run/evaluations.json").front()["scores"]["validation"];
  EXPECT_GE(found["ndcg_at_10"], 0.8);
  EXPECT_GE(found["size_8_ndcg_at_10"], 0.5);
  EXPECT_LT(first["ndcg_at_10"], found["ndcg_at_10"].get<double>());
  EXPECT_EQ(found["best_by"], "ndcg_at_10");
  EXPECT_THAT(read_bytes(folder_ / "run/predictions.tsv"), ::testing::StartsWith("id\tcosine\trank\n0\t"));
  EXPECT_THAT(read_bytes(folder_ / "run/report.html"), HasSubstr("The best ndcg_at_10, "));

  const Outcome again = run("$nystrom evaluate c.yaml");
  ASSERT_EQ(again.status, 0) << again.err;
  EXPECT_EQ(parse_json<Json>(again.out)["validation"], found["validation"]);

  // `predict` scales the means of hidden states to length 1 without being told to.
  const auto trained = vectors("--model run");
  ASSERT_EQ(trained.size(), 3U);
  EXPECT_NEAR(dot(trained[0], trained[0]), 1, 1e-6);
  EXPECT_GT(dot(trained[0], trained[1]), dot(trained[0], trained[2]));
  EXPECT_EQ(vectors("--model run --pooling mean --normalize"), trained);
  EXPECT_NE(vectors("--model run --pooling first"), trained);
  const auto small = vectors("--model run --size 8");
  EXPECT_EQ(small[0].size(), 8U);
  EXPECT_NEAR(dot(small[0], small[0]), 1, 1e-6);

  ASSERT_EQ(
      run("$nystrom convert --from run --to folder && $nystrom convert --from folder --to back.h5").status,
      0);
  EXPECT_EQ(vectors("--model folder"), trained);
  EXPECT_EQ(vectors("--model back.h5"), trained);
  EXPECT_EQ(json_of("folder/config.json")["architectures"][0], "NystromformerModel");
  EXPECT_EQ(json_of("folder/1_Pooling/config.json")["pooling_mode_mean_tokens"], true);
  EXPECT_EQ(json_of("folder/modules.json").size(), 3U);
  EXPECT_THAT(
      read_bytes(folder_ / "folder/README.md"),
      HasSubstr("the mean of the last hidden states, scaled to length 1. They can be truncated to the sizes "
                "32, 8 (`truncate_dim`)."));
  const Outcome folder = run("$nystrom evaluate c.yaml --set model.from=folder --set run.directory=");
  EXPECT_EQ(parse_json<Json>(folder.out)["validation"], found["validation"]) << folder.err;
}

TEST_F(EmbeddingsProgram, have_the_same_losses_on_two_ranks_and_with_other_micro_batches) {
  ASSERT_EQ(run("$nystrom finetune c.yaml --set training.epochs=2").status, 0);
  const Outcome outcome =
      run("mpirun --allow-run-as-root --oversubscribe -n 2 $nystrom finetune c.yaml --set training.epochs=2 "
          "--set training.micro_batch=4 --set run.directory=two");
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const auto one = losses("run"), two = losses("two");
  ASSERT_EQ(one.size(), 8U);
  ASSERT_EQ(two.size(), 8U);
  for (std::size_t i = 0; i < one.size(); ++i) EXPECT_NEAR(one[i], two[i], 1e-4 * one[i]) << i;
}

TEST_F(EmbeddingsProgram, resume_to_the_same_bits) {
  ASSERT_EQ(run("$nystrom finetune c.yaml --set training.epochs=4").status, 0);
  const Outcome resumed = run(
      "mkdir -p again && cp -r run/checkpoints again/ && rm -f again/checkpoints/step-0000001[2-9].h5 "
      "again/checkpoints/best.h5 && $nystrom finetune c.yaml --set training.epochs=4 --set run.directory=again");
  ASSERT_EQ(resumed.status, 0) << resumed.err;
  EXPECT_EQ(vectors("--model again/checkpoints/step-00000016.h5"),
            vectors("--model run/checkpoints/step-00000016.h5"));
}

TEST_F(EmbeddingsProgram, whose_sizes_or_batches_do_not_fit_are_refused) {
  const auto refused = [this](const std::string& options) {
    const Outcome outcome = run("$nystrom finetune c.yaml " + options);
    EXPECT_EQ(outcome.status, 2) << options;
    return outcome.err;
  };
  EXPECT_THAT(refused("--set 'task.sizes=[16, 8]'"), HasSubstr("the model's vectors have 32 components"));
  EXPECT_THAT(refused("--set training.global_batch=1"), HasSubstr("raise `training.global_batch`"));
  EXPECT_THAT(refused("--set run.noise_scale_every=1"), HasSubstr("`run.noise_scale_every` is 1"));
  EXPECT_THAT(refused("--set task.temperature=0"), HasSubstr("task.temperature"));
}

}  // namespace
}  // namespace nystrom
