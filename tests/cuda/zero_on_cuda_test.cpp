// ZeRO between GPUs, over NCCL and over MPI: reduce-scatter of gradients and all-gather of weights train as
// the all-reduce does.

#include <gtest/gtest.h>

#include <cstdlib>
#include <tuple>
#include <vector>

#include "emulation.h"
#include "group_run.h"
#include "trainer/guards/consistency.h"

namespace nystrom::testing {
namespace {

class ZeroOnCuda : public ::testing::TestWithParam<std::tuple<std::string_view, CommKind, DType>> {
 protected:
  [[nodiscard]] TrainerOptions options(bool zero) const {
    TrainerOptions options = toy_trainer(2);
    options.optimizer.kind = std::get<0>(GetParam());
    options.optimizer.learning_rate = options.optimizer.adamw_learning_rate = 2e-3;
    options.optimizer.ema_decay = 0.8;
    options.evaluated_weights = EvaluatedWeights::kAveraged;
    options.validate_every = 2;
    options.check_every = 2;
    options.zero = zero;
    return options;
  }
  [[nodiscard]] GroupOptions places() const {
    return {.micro_batch = 3, .gpu = std::get<1>(GetParam()), .activation = std::get<2>(GetParam())};
  }
  /// Sums in another order move weights across a rounding of bf16.
  [[nodiscard]] double tolerance() const { return std::get<2>(GetParam()) == DType::kF32 ? 1e-6 : 1e-4; }
};

TEST_P(ZeroOnCuda, trains_as_without_it) {
  if (ranks().ranks() == 1) GTEST_SKIP() << "one rank exchanges nothing; this test runs under mpirun";
  GroupRun sharded(options(true), places()), whole(options(false), places());
  (void)sharded.trainer->run();
  (void)whole.trainer->run();
  if (std::get<1>(GetParam()) == CommKind::kMpi) {
    EXPECT_EQ(sharded.weights(), whole.weights());
  } else {
    // NCCL chooses the order of sums.
    EXPECT_LT(distance(sharded.weights(), whole.weights()), tolerance());
  }
  const HostValues weights(sharded.network.parameters().weights(), sharded.context.memory());
  require_agreement(ranks(), {{"weights", digest_of(weights)}});
  if (ranks().rank() != 0) return;
  for (std::size_t i = 0; i < 2; ++i)
    EXPECT_NEAR(sharded.recorder.steps.at(i).gradient_norm / whole.recorder.steps.at(i).gradient_norm, 1,
                tolerance());
  EXPECT_NEAR(sharded.recorder.validations.at(0).losses.loss / whole.recorder.validations.at(0).losses.loss,
              1, tolerance());
}

TEST(ZeroOverNccl, has_the_same_bits_each_time) {
  TrainerOptions options = toy_trainer(2);
  options.zero = options.bf16_reduction = true;
  const GroupOptions places{.micro_batch = 3, .gpu = CommKind::kNccl};
  GroupRun a(options, places), b(options, places);
  (void)a.trainer->run();
  (void)b.trainer->run();
  EXPECT_EQ(a.weights(), b.weights());
}

TEST(MemoryOfGradients, is_registered_with_nccl_once_and_given_back_and_need_not_be_taken) {
  if (ranks().ranks() == 1) GTEST_SKIP() << "one rank exchanges nothing; this test runs under mpirun";
  const emulation::Statistics before = emulation::statistics();
  std::vector<float> weights;
  for (const bool zero : {true, false}) {
    TrainerOptions options = toy_trainer(3);
    options.zero = zero;
    const GroupOptions places{.micro_batch = 3, .gpu = CommKind::kNccl};
    {
      GroupRun run(options, places);
      (void)run.trainer->run();
      weights = run.weights();
    }
    const emulation::Statistics after = emulation::statistics();
    EXPECT_GT(after.registered, before.registered);
    EXPECT_EQ(after.registered - before.registered, after.deregistered - before.deregistered);
    EXPECT_EQ(emulation::fault(), "");
    ::setenv("NYSTROM_EMULATION_NCCL", "registers-nothing", 1);
    {
      GroupRun run(options, places);
      (void)run.trainer->run();
      EXPECT_EQ(run.weights(), weights);
    }
    ::unsetenv("NYSTROM_EMULATION_NCCL");
    EXPECT_EQ(emulation::statistics().registered, after.registered);
  }
}

INSTANTIATE_TEST_SUITE_P(, ZeroOnCuda,
                         ::testing::Combine(::testing::Values("adamw", "lamb", "muon"),
                                            ::testing::Values(CommKind::kNccl, CommKind::kMpi),
                                            ::testing::Values(DType::kF32, DType::kBF16)),
                         [](const auto& one) {
                           return fmt::format("{}_over_{}_in_{}", std::get<0>(one.param),
                                              std::get<1>(one.param) == CommKind::kMpi ? "mpi" : "nccl",
                                              name_of(std::get<2>(one.param)));
                         });

}  // namespace
}  // namespace nystrom::testing
