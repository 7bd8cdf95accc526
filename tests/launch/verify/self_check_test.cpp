// `nystrom verify --self`: the cases that come with the program.

#include "launch/verify/self_check.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace nystrom {
namespace {

TEST(SelfCheck, outputs_and_gradients_are_those_of_pytorch_in_every_precision) {
  for (const DType precision : {DType::kF32, DType::kF64}) {
    const auto checks = check_self({.precision = precision, .threads = 1});
    ASSERT_EQ(checks.size(), 11U);
    for (const auto& [name, result] : checks) {
      EXPECT_EQ(result.outputs.size(), 3U);
      EXPECT_GT(result.gradients.size(), 30U);
      for (const auto* distances : {&result.outputs, &result.gradients})
        for (const Distance& d : *distances) EXPECT_LE(d.value, d.limit) << name << ": " << d.name;
    }
  }
}

TEST(SelfCheck, fails_where_numbers_are_further_away_than_the_tolerance) {
  for (const auto& [name, result] : check_self({.tolerance = 1e-13, .threads = 1}))
    EXPECT_FALSE(result.passed()) << name;
}

}  // namespace
}  // namespace nystrom
