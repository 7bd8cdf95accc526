// `communication.sequence_ranks` as a user sees it: the built program under mpirun, on documents of thousands
// of tokens.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "kernels/core/check.h"
#include "made_up_text.h"
#include "program.h"

namespace nystrom {
namespace {

using ::testing::HasSubstr;
using testing::Outcome;
using testing::read_bytes;
using testing::run_in;
using testing::TemporaryFolder;

class SequenceRanksProgram : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new TemporaryFolder();
    std::ofstream text(*folder_ / "text.txt");
    for (std::uint64_t document = 0; document < 16; ++document) {
      for (const auto& sentence : testing::made_up_sentences(300, document)) text << sentence << ' ';
      text << '\n';
    }
    text.close();
    std::ofstream(*folder_ / "run.yaml")
        << "corpus: [{kind: lines, path: text.txt}]\n"
           "tokenizer: {kind: bpe, vocabulary_size: 120}\n"
           "output: {directory: prepared, validation_fraction: 0.2}\n"
           "run: {directory: run, log_every: 1, pinv_residual_every: 4, threads: 1}\n"
           "model: {hidden_size: 16, layers: 2, heads: 2, intermediate_size: 32, max_positions: 3072,\n"
           "        attention: {landmarks: 8, convolution: 9}}\n"
           "data: {shards: [prepared/train/*.h5], validation: [prepared/validation/*.h5]}\n"
           "training: {steps: 8, global_batch: 3, micro_batch: 2, precision: fp32}\n"
           "schedule: {kind: constant, warmup_steps: 2}\n"
           "checkpoint: {every_steps: 4, keep: 3}\n"
           "evaluation: {every_steps: 4, batches: 1}\n";
    const Outcome made =
        run("$nystrom prepare run.yaml && $nystrom pretrain run.yaml --set run.directory=alone");
    ASSERT_EQ(made.status, 0) << made.err;
  }
  static void TearDownTestSuite() {
    delete folder_;
    folder_ = nullptr;
  }

  static Outcome run(const std::string& command) { return run_in(*folder_, command); }
  /// `pretrain` on several ranks.
  static Outcome pretrain(int ranks, const std::string& options) {
    return run(
        fmt::format("OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 mpirun -n {} --oversubscribe "
                    "--bind-to none $nystrom pretrain run.yaml {}",
                    ranks, options));
  }
  static std::vector<nlohmann::json> lines_of(const std::string& directory) {
    std::istringstream metrics(read_bytes(*folder_ / (directory + "/metrics.jsonl")));
    std::vector<nlohmann::json> lines;
    for (std::string line; std::getline(metrics, line);) lines.push_back(nlohmann::json::parse(line));
    return lines;
  }
  static void expect_equal_metrics(const std::string& directory) {
    const auto lines = lines_of(directory), alone = lines_of("alone");
    ASSERT_EQ(lines.size(), alone.size());
    for (std::size_t i = 0; i < alone.size(); ++i)
      for (const char* key : {"step", "loss", "mlm_loss", "sop_loss", "gradient_norm", "samples",
                              "validation_loss", "validation_mlm_labels"}) {
        ASSERT_EQ(lines[i].contains(key), alone[i].contains(key)) << key << " of line " << i;
        if (!alone[i].contains(key)) continue;
        const double value = alone[i][key];
        EXPECT_NEAR(lines[i][key].get<double>(), value, 2e-5 * std::abs(value)) << key << " of line " << i;
      }
  }

  static TemporaryFolder* folder_;
};
TemporaryFolder* SequenceRanksProgram::folder_ = nullptr;

TEST_F(SequenceRanksProgram, ranks_that_share_sequences_train_as_one_does) {
  const Outcome two = pretrain(2, "--set run.directory=two --set communication.sequence_ranks=2");
  EXPECT_EQ(two.status, 0) << two.err;
  expect_equal_metrics("two");
  const Outcome groups = pretrain(4, "--set run.directory=groups --set communication.sequence_ranks=2");
  EXPECT_EQ(groups.status, 0) << groups.err;
  expect_equal_metrics("groups");
}

TEST_F(SequenceRanksProgram, a_run_resumes_without_groups) {
  const Outcome begun =
      pretrain(3, "--set run.directory=changed --set communication.sequence_ranks=3 --set training.steps=4");
  EXPECT_EQ(begun.status, 0) << begun.err;
  const Outcome ended = pretrain(2, "--set run.directory=changed");
  EXPECT_EQ(ended.status, 0) << ended.err;
  expect_equal_metrics("changed");
}

TEST_F(SequenceRanksProgram, profiled_steps_leave_a_trace_of_all_ranks) {
  const Outcome traced = pretrain(2, "--set run.directory=traced --set run.profile_steps=3-7");
  EXPECT_EQ(traced.status, 0) << traced.err;
  EXPECT_THAT(traced.out + traced.err, HasSubstr("traced/trace-3-7.json shows steps 3 to 7 of all ranks"));
  expect_equal_metrics("traced");
  for (const auto& line : lines_of("traced")) {
    const bool profiled = line["step"] >= 3 && line["step"] <= 7;
    if (!line.contains("loss")) continue;
    EXPECT_EQ(line.contains("mfu"), profiled) << line;
    if (!profiled) continue;
    EXPECT_GT(line["mfu"].get<double>(), 0);
    EXPECT_LT(line["mfu"].get<double>(), line["share_of_bound"].get<double>() + 1e-6);
  }
  const auto trace = nlohmann::json::parse(read_bytes(*folder_ / "traced/trace-3-7.json"));
  std::set<std::pair<int, std::string>> kinds;
  for (const auto& event : trace["traceEvents"])
    if (event["ph"] != "M") kinds.emplace(event["pid"], event["cat"]);
  for (const int rank : {0, 1})
    for (const char* kind : {"step", "phase", "part", "op", "wait", "collective", "loader"})
      EXPECT_TRUE(kinds.contains({rank, kind})) << kind << " of rank " << rank;
  EXPECT_TRUE(kinds.contains({0, "checkpoint"}));
}

TEST_F(SequenceRanksProgram, a_growing_batch_resumes_exactly_after_a_stop) {
  const std::string grows =
      "--set 'training.batch_schedule=[{step: 3, global_batch: 5}, {step: 6, global_batch: 8}]'";
  const Outcome straight = pretrain(2, grows + " --set run.directory=grown");
  EXPECT_EQ(straight.status, 0) << straight.err;
  const Outcome begun = pretrain(2, grows + " --set run.directory=halves --set training.steps=4");
  EXPECT_EQ(begun.status, 0) << begun.err;
  const Outcome ended = pretrain(2, grows + " --set run.directory=halves");
  EXPECT_EQ(ended.status, 0) << ended.err;
  const auto lines = lines_of("halves"), expected = lines_of("grown");
  ASSERT_EQ(lines.size(), expected.size());
  const std::vector<int> sizes{3, 3, 5, 5, 5, 8, 8, 8}, samples{3, 6, 11, 16, 21, 29, 37, 45};
  for (std::size_t i = 0; i < expected.size(); ++i) {
    if (!expected[i].contains("loss")) continue;
    const auto step = expected[i]["step"].get<std::size_t>();
    EXPECT_EQ(expected[i]["global_batch"], sizes[step - 1]);
    EXPECT_EQ(expected[i]["samples"], samples[step - 1]);
    for (const char* key : {"step", "loss", "gradient_norm", "samples", "global_batch"})
      EXPECT_EQ(lines[i][key], expected[i][key]) << key << " of step " << step;
  }
  const Outcome other = pretrain(2, "--set run.directory=halves --set training.steps=9");
  EXPECT_EQ(other.status, 2);
  EXPECT_THAT(other.err, HasSubstr("training.batch_schedule"));
}

TEST_F(SequenceRanksProgram, what_cannot_be_shared_is_refused_by_name) {
  const Outcome odd = pretrain(3, "--set run.directory=odd --set communication.sequence_ranks=2");
  EXPECT_EQ(odd.status, 2);
  EXPECT_THAT(
      odd.err,
      HasSubstr("`communication.sequence_ranks` is 2, but this job has 3 ranks: start a multiple of 2"));
  const Outcome kind = pretrain(
      2,
      "--set run.directory=kind --set communication.sequence_ranks=2 --set model.attention.kind=longformer");
  EXPECT_EQ(kind.status, 2);
  EXPECT_THAT(kind.err, HasSubstr("`model.attention.kind` is longformer"));
  const Outcome alone =
      run("$nystrom pretrain run.yaml --set run.directory=one --set communication.sequence_ranks=2");
  EXPECT_EQ(alone.status, 2);
  EXPECT_THAT(alone.err, HasSubstr("this job has 1 rank"));
}

}  // namespace
}  // namespace nystrom
