// Twenty steps of the program, on any number of ranks and with any micro-batch, against PyTorch's.

#include "trajectory.h"

#include <tuple>

namespace nystrom::testing {
namespace {

using RanksAndMicroBatch = std::tuple<int, int>;

class Trajectory : public TrajectoryTest, public ::testing::WithParamInterface<RanksAndMicroBatch> {};

TEST_P(Trajectory, is_that_of_pytorch) {
  const auto [ranks, micro_batch] = GetParam();
  train(ranks, recipe(micro_batch));
  expect_reference();
}

INSTANTIATE_TEST_SUITE_P(, Trajectory,
                         ::testing::Combine(::testing::Values(1, 2, 3), ::testing::Values(1, 2, 8)),
                         [](const auto& one) {
                           return "on_" + std::to_string(std::get<0>(one.param)) +
                                  "_ranks_with_micro_batches_of_" + std::to_string(std::get<1>(one.param));
                         });

}  // namespace
}  // namespace nystrom::testing
