#pragma once
// Fixture of tests that run the built program: a prepared text and a run, and how a refusal looks.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <string>

#include "kernels/core/json.h"
#include "program.h"

namespace nystrom::testing {

// Exactly one line, ours; before it there may be, with CUDA in the program, a line that the CPU computes.
inline void expect_refused(const Outcome& outcome, const std::string& word, int status = 2) {
  EXPECT_EQ(outcome.status, status) << outcome.err;
  std::string said = outcome.err;
  const auto first = said.find('\n');
  if (said.substr(0, first).ends_with(": the CPU computes.")) said.erase(0, first + 1);
  EXPECT_THAT(said, ::testing::AllOf(::testing::StartsWith("nystrom: "), ::testing::HasSubstr(word)));
  EXPECT_EQ(std::ranges::count(said, '\n'), 1) << outcome.err;
}

inline nlohmann::json last_line(const Outcome& outcome) {
  return parse_json<nlohmann::json>(outcome.out.substr(outcome.out.rfind('\n', outcome.out.size() - 2) + 1));
}

// A small prepared text and a configuration for a tiny model, made once.
class Program : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new TemporaryFolder();
    for (const char* which : {"a", "b"}) write_text(which);
    std::ofstream(*folder_ / "run.yaml")
        << "corpus: [{kind: lines, path: a.txt}]\n"
           "tokenizer: {kind: bpe, vocabulary_size: 120}\n"
           "output: {directory: prepared, validation_fraction: 0.2}\n"
           "run: {directory: run}\n"
           "model: {hidden_size: 16, layers: 1, heads: 2, intermediate_size: 32, max_positions: 32,\n"
           "        attention: {landmarks: 4, convolution: 3}}\n"
           "data: {shards: [prepared/train/*.h5], validation: [prepared/validation/*.h5]}\n"
           "training: {steps: 4, global_batch: 4, precision: fp32}\n"
           "checkpoint: {every_steps: 2, keep: 3}\n"
           "evaluation: {every_steps: 2, batches: 2}\n";
    const Outcome made = run_in(*folder_, "$nystrom prepare run.yaml && $nystrom pretrain run.yaml");
    ASSERT_EQ(made.status, 0) << made.err;
  }
  static void TearDownTestSuite() {
    delete folder_;
    folder_ = nullptr;
  }

  // A hundred documents of made-up sentences; the two texts differ.
  static void write_text(const std::string& which) {
    const char* words[] = {"river", "stone", "walks", "under", "light",
                           "seven", "birds", "and",   "the",   "slow"};
    std::ofstream file(*folder_ / (which + ".txt"));
    unsigned state = which == "a" ? 1 : 77;
    for (int document = 0; document < 100; ++document) {
      for (int sentence = 0; sentence < 6; ++sentence) {
        for (int word = 0; word < 7; ++word) {
          state = state * 1664525U + 1013904223U;
          file << (word == 0 ? "The " : " ") << words[(state >> 16U) % 10];
        }
        file << (which == "a" ? ". " : "! ");
      }
      file << '\n';
    }
  }

  static Outcome run(const std::string& command) { return run_in(*folder_, command); }
  static std::string yaml_of_run() { return read_bytes(*folder_ / "run/config.yaml"); }

  inline static TemporaryFolder* folder_ = nullptr;
};

}  // namespace nystrom::testing
