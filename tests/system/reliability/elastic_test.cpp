// Runs that resume on another number of ranks and other micro-batches; and many ranks on few cores.

#include <cmath>

#include "job_case.h"

namespace nystrom {
namespace {

using testing::metrics_of;

constexpr std::int64_t kStop = 10, kMore = 50;

class Elastic : public testing::JobCase {
 protected:
  static void expect_close(const std::vector<nlohmann::json>& a, const std::vector<nlohmann::json>& b,
                           double tolerance) {
    ASSERT_EQ(a.size(), b.size());
    for (std::size_t i = 0; i < a.size(); ++i) {
      EXPECT_EQ(a[i].at("step"), b[i].at("step"));
      EXPECT_EQ(a[i].at("samples"), b[i].at("samples"));
      EXPECT_NEAR(a[i].at("loss").get<double>() / b[i].at("loss").get<double>(), 1, tolerance)
          << "step " << a[i].at("step");
    }
  }

  /// A run on four ranks, with option `before`; the same stopped after kStop steps and gone on with, with
  /// `after`.
  void expect_to_go_on(const std::vector<int>& rank_counts, const std::vector<int>& micro_batches,
                       const std::string& before, const std::string& after) {
    const std::string all = "steps=" + std::to_string(kStop + kMore), four = "four-" + before + after;
    ASSERT_EQ(run(command(4, four, {"micro=2", "save_every=10", all, before})), 0) << said;
    const auto expected = metrics_of(folder / four);
    ASSERT_EQ(expected.size(), static_cast<std::size_t>(kStop + kMore));
    for (const int ranks : rank_counts)
      for (const int micro_batch : micro_batches) {
        const std::string micro = std::to_string(micro_batch);
        const std::string name = std::to_string(ranks) + "x" + micro + before + after;
        const std::string directory = folder / name;
        std::filesystem::create_directories(directory + "/checkpoints");
        std::filesystem::copy_file(checkpoint(four, kStop), checkpoint(name, kStop));
        std::filesystem::copy_file(folder / (four + "/metrics.jsonl"), directory + "/metrics.jsonl");
        SCOPED_TRACE(name);
        ASSERT_EQ(run(command(ranks, name, {"micro=" + micro, "save_every=1000", all, after})), 0) << said;
        expect_close(metrics_of(directory), expected, 1e-5);
      }
  }
};

TEST_F(Elastic, four_ranks_resume_on_one_two_three_or_six) {
  expect_to_go_on({1, 2, 3, 6}, {1, 3, 12}, "zero=0", "zero=0");
}

TEST_F(Elastic, sharded_optimizer_state_resumes_on_other_numbers_of_ranks) {
  expect_to_go_on({1, 2, 3, 6}, {3}, "zero=1", "zero=1");
  expect_to_go_on({3}, {3}, "zero=1", "zero=0");
  expect_to_go_on({3}, {3}, "zero=0", "zero=1");
}

TEST_F(Elastic, sixteen_ranks_on_few_cores_match_one) {
  ASSERT_EQ(run(command(1, "one", {"batch=24", "steps=6", "validate_every=3", "check_every=3"})), 0) << said;
  ASSERT_EQ(run(command(16, "sixteen", {"batch=24", "steps=6", "validate_every=3", "check_every=3"})), 0)
      << said;
  const auto one = metrics_of(folder / "one"), many = metrics_of(folder / "sixteen");
  ASSERT_EQ(one.size(), many.size());
  for (std::size_t i = 0; i < one.size(); ++i)
    for (const auto& [key, value] : one[i].items()) {
      if (!value.is_number() || key == "gradient_norm") continue;
      EXPECT_NEAR(many[i].at(key).get<double>(), value.get<double>(),
                  1e-5 * std::abs(value.get<double>()) + 1e-9)
          << key << " of step " << one[i].at("step");
    }
}

}  // namespace
}  // namespace nystrom
