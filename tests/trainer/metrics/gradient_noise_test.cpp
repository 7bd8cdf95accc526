#include "trainer/metrics/gradient_noise.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>
#include <vector>

#include "kernels/core/philox.h"
#include "toy_run.h"

namespace nystrom {
namespace {

using testing::toy_trainer;
using testing::ToyRun;

TEST(GradientNoise, follows_from_two_batch_sizes) {
  // |G|^2 = 9 and tr(S) = 40, at 4 and 16 sequences.
  const auto noise = gradient_noise(9 + 40.0 / 4, 1.0 / 4, 9 + 40.0 / 16, 16);
  ASSERT_TRUE(noise);
  EXPECT_NEAR(noise->trace, 40, 1e-12);
  EXPECT_NEAR(noise->square, 9, 1e-12);
}

TEST(GradientNoise, needs_two_different_sizes_and_finite_norms) {
  EXPECT_FALSE(gradient_noise(10, 1.0 / 16, 9, 16));
  EXPECT_FALSE(gradient_noise(std::nan(""), 1.0 / 4, 9, 16));
}

double normal(std::uint64_t sample, std::uint64_t element) {
  Random random(11, Purpose::kTest, sample * 1000 + element);
  const double u = (static_cast<double>(random.below(1U << 30U)) + 0.5) / (1U << 30U);
  const double v = static_cast<double>(random.below(1U << 30U)) / (1U << 30U);
  return std::sqrt(-2 * std::log(u)) * std::cos(2 * std::numbers::pi * v);
}

// Gradients of single sequences drawn around G = (1, ..., 1) of 20 elements with a deviation of 3: tr(S) =
// 180.
TEST(GradientNoise, its_estimates_have_the_right_mean) {
  constexpr std::size_t kElements = 20, kSmall = 4, kLarge = 16, kTrials = 400;
  double trace = 0, square = 0;
  for (std::size_t trial = 0; trial < kTrials; ++trial) {
    std::vector<double> small(kElements), large(kElements);
    for (std::size_t i = 0; i < kLarge; ++i)
      for (std::size_t e = 0; e < kElements; ++e) {
        const double g = 1 + 3 * normal(trial * kLarge + i, e);
        large[e] += g / kLarge;
        if (i < kSmall) small[e] += g / kSmall;
      }
    const auto squares = [](const std::vector<double>& g) {
      double sum = 0;
      for (const double x : g) sum += x * x;
      return sum;
    };
    const auto noise = gradient_noise(squares(small), 1.0 / kSmall, squares(large), kLarge);
    trace += noise->trace / kTrials;
    square += noise->square / kTrials;
  }
  EXPECT_NEAR(trace, 180, 6);  // four standard errors of the mean
  EXPECT_NEAR(square, 20, 1.2);
}

TrainerOptions measuring(std::int64_t every) {
  TrainerOptions options = toy_trainer(6);
  options.noise_scale_every = every;
  return options;
}

TEST(GradientNoise, is_measured_in_the_steps_that_are_due) {
  const auto comm = make_solo_comm();
  ToyRun run(measuring(3), *comm, {.global_batch = 8, .micro_batch = 2});
  (void)run.trainer->run();
  ASSERT_EQ(run.recorder.steps.size(), 6U);
  for (const StepReport& step : run.recorder.steps) {
    EXPECT_EQ(step.gradient_noise.has_value(), step.step % 3 == 0) << step.step;
    if (!step.gradient_noise) continue;
    EXPECT_GT(step.gradient_noise->trace, 0);
    // |G_B|^2 = |G|^2 + tr(S) / B holds for the estimates too.
    EXPECT_NEAR(step.gradient_noise->square + step.gradient_noise->trace / 8,
                step.gradient_norm * step.gradient_norm, 1e-9);
  }
}

TEST(GradientNoise, measuring_changes_no_bit_of_the_training) {
  const auto comm = make_solo_comm();
  ToyRun with(measuring(1), *comm, {.global_batch = 8, .micro_batch = 2});
  ToyRun without(measuring(0), *comm, {.global_batch = 8, .micro_batch = 2});
  (void)with.trainer->run();
  (void)without.trainer->run();
  EXPECT_EQ(with.weights(), without.weights());
}

TEST(GradientNoise, one_micro_batch_of_one_rank_gives_no_estimate) {
  const auto comm = make_solo_comm();
  ToyRun run(measuring(1), *comm, {.global_batch = 8, .micro_batch = 8});
  (void)run.trainer->run();
  for (const StepReport& step : run.recorder.steps) EXPECT_FALSE(step.gradient_noise);
}

/// A batch of one row, as often as wanted: no noise but for rounding.
class OneRow final : public BatchSource {
 public:
  const StepBatch& read(std::int64_t) override {
    testing::ToySource toy({.global_batch = 1, .micro_batch = 1, .same_batch = true});
    const StepBatch one = toy.read(0);
    batch_ = {};
    for (int i = 0; i < 4; ++i) batch_.micro_batches.push_back(one.micro_batches.front());
    return batch_;
  }
  [[nodiscard]] BatchLimits limits() const override {
    return testing::ToySource({.global_batch = 1, .micro_batch = 1}).limits();
  }

 private:
  StepBatch batch_;
};

TEST(GradientNoise, equal_sequences_have_none) {
  const auto comm = make_solo_comm();
  TrainerOptions options = measuring(1);
  ToyRun toy(options, *comm, {}, 0);  // without dropout
  OneRow rows;
  testing::Recorder recorder;
  Trainer trainer(options, {toy.context, *comm, toy.network, rows, nullptr, recorder});
  (void)trainer.run();
  ASSERT_EQ(recorder.steps.size(), 6U);
  for (const StepReport& step : recorder.steps) {
    ASSERT_TRUE(step.gradient_noise);
    EXPECT_NEAR(step.gradient_noise->trace / step.gradient_noise->square, 0, 1e-4);
  }
}

}  // namespace
}  // namespace nystrom
