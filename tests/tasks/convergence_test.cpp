// Does attention carry information? Two marks stand far from the first token, from which the label is read,
// and far from each other; the label says whether they are equal, so that neither alone tells anything. The
// convolutions of two layers reach 2 tokens: what is learned came through attention.

#include <gmock/gmock.h>

#include "finetune_run.h"

namespace nystrom {
namespace {

constexpr int kWords = 96;

/// Noise words, with a mark in the second and one in the fourth quarter.
std::string far_apart(std::uint64_t seed, int count) {
  constexpr const char* kNoise[] = {"one", "two", "four", "six", "ten"};
  std::string rows = "text\tlabel\n";
  for (int i = 0; i < count; ++i) {
    Random random(seed, Purpose::kTest, static_cast<std::uint64_t>(i));
    const int first = kWords / 4 + static_cast<int>(random.below(kWords / 4));
    const int second = 3 * kWords / 4 + static_cast<int>(random.below(kWords / 4));
    const std::uint64_t a = random.below(2), b = random.below(2);
    for (int w = 0; w < kWords; ++w) {
      if (w > 0) rows += ' ';
      if (w == first || w == second)
        rows += (w == first ? a : b) == 0 ? "tin" : "net";
      else
        rows += kNoise[random.below(5)];
    }
    rows += a == b ? "\tsame\n" : "\tother\n";
  }
  return rows;
}

class Convergence : public ::testing::TestWithParam<const char*> {};

TEST_P(Convergence, finds_and_relates_marks_beyond_the_reach_of_the_convolution) {
  const TemporaryFolder folder;
  std::filesystem::create_directories(folder / "data");
  std::ofstream(folder / "t.model", std::ios::binary) << testing::letter_tokenizer().bytes();
  std::ofstream(folder / "data/train.tsv") << far_apart(11, 3000);
  std::ofstream(folder / "data/dev.tsv") << far_apart(12, 200);
  std::ofstream(folder / "data/test.tsv") << far_apart(13, 400);
  std::ofstream(folder / "c.yaml") << R"(
run: {directory: run, threads: 2}
tokenizer: {path: t.model}
task: {kind: classification, path: data}
model: {hidden_size: 64, layers: 2, heads: 4, intermediate_size: 128, max_positions: 128, dropout: 0.0,
        attention: {landmarks: 32, convolution: 3}}
data: {sequence_length: 128}
training: {epochs: 8, global_batch: 32, precision: fp32, patience: 3}
optimizer: {learning_rate: 2.0e-3}
schedule: {warmup_share: 0.1}
)";
  const Outcome outcome =
      run_in(folder, std::string("$nystrom finetune c.yaml --set model.attention.kind=") + GetParam());
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const Json results = Json::parse(text_of(folder / "run/results.json"));
  EXPECT_GE(results["test"]["accuracy"], 0.95) << results.dump();
}

INSTANTIATE_TEST_SUITE_P(Attention, Convergence, ::testing::Values("nystrom", "softmax"),
                         [](const auto& instance) { return std::string(instance.param); });

}  // namespace
}  // namespace nystrom
