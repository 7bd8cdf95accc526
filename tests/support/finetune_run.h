#pragma once
// Fine-tuning fixture: a small synthetic task in a folder, and the program to run on it.

#include <gtest/gtest.h>

#include "kernels/core/json.h"
#include "kernels/core/philox.h"
#include "letter_tokenizer.h"
#include "program.h"

namespace nystrom {

using Json = nlohmann::json;
using testing::Outcome;
using testing::read_bytes;
using testing::run_in;
using testing::TemporaryFolder;

/// Words of no meaning, and one that decides: "tin" or "net".
inline std::string made_up_rows(std::uint64_t seed, int count) {
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

inline constexpr const char* kFinetuneConfig = R"(
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

/// A folder, the program run in it, and what a run has left there.
class FinetuneFolder : public ::testing::Test {
 protected:
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name, std::ios::binary) << text;
  }
  [[nodiscard]] Outcome run(const std::string& command) const {
    return run_in(folder_, "source='" NYSTROM_SOURCE "'; " + command);
  }
  [[nodiscard]] Json json_of(const std::string& name) const {
    return parse_json<Json>(read_bytes(folder_ / name));
  }
  [[nodiscard]] Json results(const std::string& directory) const {
    return json_of(directory + "/results.json");
  }
  /// The losses of all steps.
  [[nodiscard]] std::vector<double> losses(const std::string& directory) const {
    std::ifstream file(folder_ / (directory + "/metrics.jsonl"));
    std::vector<double> found;
    for (std::string line; std::getline(file, line);)
      if (const Json object = parse_json<Json>(line); object.contains("loss"))
        found.push_back(object["loss"]);
    return found;
  }

  TemporaryFolder folder_;
};

class Finetune : public FinetuneFolder {
 protected:
  void SetUp() override {
    write("t.model", testing::letter_tokenizer().bytes());
    std::filesystem::create_directories(folder_ / "data");
    write("data/train.tsv", made_up_rows(1, 200));
    write("data/dev.tsv", made_up_rows(2, 60));
    write("data/test.tsv", made_up_rows(3, 61));
    write("c.yaml", kFinetuneConfig);
  }
};

}  // namespace nystrom
