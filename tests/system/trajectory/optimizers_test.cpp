// Twenty steps of every optimizer and schedule against PyTorch's, on any number of ranks, with and without
// ZeRO-1, for any micro-batch; resumed in the middle; averaged weights.

#include "optimizer_trajectory.h"

namespace nystrom::testing {
namespace {

struct Job {
  const char* name;
  int ranks;
  bool zero;
  std::int64_t micro_batch;
};

class OptimizerTrajectories : public ::testing::TestWithParam<Job> {
 protected:
  void SetUp() override {
    if (cases_.empty())
      GTEST_SKIP() << "there are no reference numbers of optimizers next to this checkout (NYSTROM_SHARED)";
  }

  [[nodiscard]] static Json configuration(const OptimizerCase& one, const Job& job, const std::string& run) {
    Json config = one.configuration(job.micro_batch, run);
    config["training"]["zero"] = job.zero;
    return config;
  }

  [[nodiscard]] static std::string checkpoint(const std::string& run, std::int64_t step) {
    char name[32];
    std::snprintf(name, sizeof name, "step-%08lld.h5", static_cast<long long>(step));
    return run + "/checkpoints/" + name;
  }

  /// The weights of a checkpoint, or their average, as a Hugging Face folder of the test.
  [[nodiscard]] std::string exported(const std::string& run, std::int64_t step, const std::string& name,
                                     const std::string& options = {}) const {
    const Outcome outcome = run_in(folder_, "$nystrom convert --plain --from '" + checkpoint(run, step) +
                                                "' --to " + name + " " + options);
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    return folder_ / name;
  }

  std::vector<OptimizerCase> cases_ = optimizer_cases();
  TemporaryFolder folder_;
};

TEST_P(OptimizerTrajectories, are_those_of_pytorch) {
  for (const OptimizerCase& one : cases_) {
    SCOPED_TRACE(one.name());
    const std::string run = folder_ / one.name();
    train_in(folder_, GetParam().ranks, configuration(one, GetParam(), run));
    if (HasFatalFailure()) return;
    expect_steps(run, one.reference["steps"]);
    EXPECT_LT(distance_of_weights(checkpoint(run, one.steps()), one.folder / "final.safetensors"), 1e-4);
    if (!one.averages()) continue;
    const std::string average = exported(run, one.steps(), one.name() + "-ema", "--weights ema");
    EXPECT_LT(distance_of_weights(average, one.folder / "ema.safetensors"), 1e-4);
  }
}

INSTANTIATE_TEST_SUITE_P(
    , OptimizerTrajectories,
    ::testing::Values(Job{"on_1_rank_at_once", 1, false, 8}, Job{"on_1_rank_accumulated", 1, false, 3},
                      Job{"on_2_ranks", 2, false, 1}, Job{"on_2_ranks_with_zero", 2, true, 8},
                      Job{"on_3_ranks", 3, false, 8}, Job{"on_3_ranks_with_zero", 3, true, 1}),
    [](const auto& one) { return std::string(one.param.name); });

class ResumedOptimizerTrajectories : public OptimizerTrajectories {};

// A resume ends with the same bits: weights, numbers of the metrics, and the optimizer's whole state.
TEST_P(ResumedOptimizerTrajectories, have_the_bits_of_those_that_were_not_interrupted) {
  for (const OptimizerCase& one : cases_) {
    SCOPED_TRACE(one.name());
    const std::string straight = folder_ / (one.name() + "-straight"),
                      again = folder_ / (one.name() + "-again");
    Json config = configuration(one, GetParam(), straight);
    config["checkpoint"] = {{"every_steps", 10}, {"keep", 10}};
    train_in(folder_, GetParam().ranks, config);
    config["run"]["directory"] = again;
    config["run"]["resume"] = checkpoint(straight, 10);
    train_in(folder_, GetParam().ranks, config);
    if (HasFatalFailure()) return;
    const auto before = lines_of(fs::path(straight) / "metrics.jsonl"),
               after = lines_of(fs::path(again) / "metrics.jsonl");
    ASSERT_EQ(after.size(), before.size() - 10);
    for (std::size_t s = 0; s < after.size(); ++s)
      for (const char* key : {"step", "loss", "learning_rate", "gradient_norm"})
        EXPECT_EQ(after[s][key], before[s + 10][key]) << key << " of step " << s + 11;
    for (const char* options : {"", "--weights ema"}) {
      if (*options != 0 && !one.averages()) continue;
      const std::string a = exported(straight, one.steps(), "a", options),
                        b = exported(again, one.steps(), "b", options);
      EXPECT_EQ(read_bytes(a + "/model.safetensors"), read_bytes(b + "/model.safetensors"));
      fs::remove_all(a);
      fs::remove_all(b);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(, ResumedOptimizerTrajectories,
                         ::testing::Values(Job{"on_1_rank", 1, false, 8},
                                           Job{"on_2_ranks_with_zero", 2, true, 3}),
                         [](const auto& one) { return std::string(one.param.name); });

}  // namespace
}  // namespace nystrom::testing
