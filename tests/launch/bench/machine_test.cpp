// The bound of an op, from the ceilings of a machine.

#include "launch/bench/machine.h"

#include <gtest/gtest.h>

namespace nystrom {
namespace {

constexpr MachineCeiling kMachine{.fp32_flops = 10, .bf16_flops = 100, .copy_bytes = 50};

TEST(BoundOfAnOp, is_its_bytes_or_its_operations_at_the_rate_of_their_units) {
  EXPECT_DOUBLE_EQ(bound_seconds({.flops = 200, .bytes = 50}, kMachine, DType::kBF16), 2);
  EXPECT_DOUBLE_EQ(bound_seconds({.flops = 200, .bytes = 50}, kMachine, DType::kF32), 20);
  EXPECT_DOUBLE_EQ(bound_seconds({.flops = 200, .bytes = 500}, kMachine, DType::kBF16), 10);
}

TEST(BoundOfAnOp, counts_what_is_fp32_in_a_bf16_run_at_the_rate_of_fp32) {
  EXPECT_DOUBLE_EQ(bound_seconds({.flops = 200, .fp32_flops = 100, .bytes = 1}, kMachine, DType::kBF16),
                   1 + 10);
  EXPECT_DOUBLE_EQ(bound_seconds({.flops = 200, .fp32_flops = 100, .bytes = 1}, kMachine, DType::kF32), 20);
}

}  // namespace
}  // namespace nystrom
