// Does attention carry information? The label says which mark is at four places in the last half of a
// long row of noise; it is read from the first token. What the convolutions can bring there are the first few
// words, which say nothing: rows cut to these leave the same network at chance.

#include <gmock/gmock.h>

#include "finetune_run.h"
#include "kernels/core/json.h"

namespace nystrom {
namespace {

constexpr int kWords = 120, kMarks = 4, kTaps = 5, kLayers = 2;
/// More tokens than the convolutions of all layers bring to the first one; no mark is among them.
constexpr int kNear = 10;
static_assert(kNear > kLayers * (kTaps / 2) + 2 && kNear < kWords / 2);

std::string far_marks(std::uint64_t seed, int count) {
  constexpr const char* kNoise[] = {"one", "two", "four", "six", "ten"};
  std::string rows = "text\tlabel\n";
  for (int i = 0; i < count; ++i) {
    Random random(seed, Purpose::kTest, static_cast<std::uint64_t>(i));
    std::vector<std::string> words;
    for (int w = 0; w < kWords; ++w) words.emplace_back(kNoise[random.below(5)]);
    const bool metal = random.below(2) == 0;
    for (int m = 0; m < kMarks; ++m) words[kWords / 2 + random.below(kWords / 2)] = metal ? "tin" : "net";
    for (const auto& word : words) rows += word + " ";
    rows.back() = '\t';
    rows += metal ? "metal\n" : "mesh\n";
  }
  return rows;
}

class Convergence : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    std::filesystem::create_directories(folder_ / "data");
    write("vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\none\ntwo\nfour\nsix\nten\ntin\nnet\n");
    write("data/train.tsv", far_marks(11, 1600));
    write("data/dev.tsv", far_marks(12, 200));
    write("data/test.tsv", far_marks(13, 500));
    write("c.yaml", R"(
run: {directory: run, threads: 1}
tokenizer: {path: vocab.txt}
task: {kind: classification, path: data}
model: {hidden_size: 64, layers: 2, heads: 4, intermediate_size: 128, max_positions: 128, dropout: 0.0,
        attention: {landmarks: 16, convolution: 5}}
training: {epochs: 2, global_batch: 32, precision: fp32}
optimizer: {learning_rate: 2.0e-3}
schedule: {warmup_share: 0.1}
)");
  }
  [[nodiscard]] double accuracy(int length) const {
    const Outcome outcome =
        run_in(folder_, std::string("$nystrom finetune c.yaml --set model.attention.kind=") + GetParam() +
                            " --set data.sequence_length=" + std::to_string(length));
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    return parse_json<Json>(read_bytes(folder_ / "run/results.json"))["test"]["accuracy"];
  }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name, std::ios::binary) << text;
  }
  TemporaryFolder folder_;
};

TEST_P(Convergence, finds_a_mark_beyond_the_reach_of_the_convolutions) {
  EXPECT_GE(accuracy(kWords + 2), 0.95);
}

TEST_P(Convergence, stays_at_chance_on_what_the_convolutions_bring) {
  EXPECT_LE(accuracy(kNear), 0.6);
}

INSTANTIATE_TEST_SUITE_P(Attention, Convergence, ::testing::Values("nystrom", "softmax"),
                         [](const auto& instance) { return std::string(instance.param); });

}  // namespace
}  // namespace nystrom
