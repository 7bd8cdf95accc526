#include "kernels/optimizer/average.h"

#include "op_support.h"

namespace nystrom::testing {
namespace {

TEST(Average, moves_towards_the_values_by_its_share) {
  Context one(1), three(3);
  const OwnedTensor values = normal(DType::kF64, {40'000}, 1), average = normal(DType::kF64, {40'000}, 2);
  const OwnedTensor before = normal(DType::kF64, {40'000}, 2), other = normal(DType::kF64, {40'000}, 2);
  average_step(one, values, 0.9, average);
  average_step(three, values, 0.9, other);
  for (std::int64_t i = 0; i < 40'000; ++i)
    ASSERT_NEAR(value(average, i), 0.9 * value(before, i) + 0.1 * value(values, i), 1e-14);
  EXPECT_TRUE(same_bits(average, other));
}

TEST(Average, is_the_values_where_its_decay_is_0) {
  Context context(1);
  const OwnedTensor values = normal(DType::kF32, {9}, 1), average = normal(DType::kF32, {9}, 2);
  average_step(context, values, 0, average);
  EXPECT_LT(distance(average, values), 1e-7);
}

TEST(Average, swaps_values) {
  Context context(2);
  const OwnedTensor a = normal(DType::kF32, {70'001}, 1), b = normal(DType::kF32, {70'001}, 2);
  swap_values(context, a, b);
  EXPECT_TRUE(same_bits(a, normal(DType::kF32, {70'001}, 2)));
  EXPECT_TRUE(same_bits(b, normal(DType::kF32, {70'001}, 1)));
}

TEST(Average, of_another_size_is_refused) {
  Context context(1);
  const OwnedTensor a(DType::kF32, {4}), b(DType::kF32, {5});
  EXPECT_THROW(average_step(context, a, 0.5, b), InternalError);
  EXPECT_THROW(swap_values(context, a, b), InternalError);
}

}  // namespace
}  // namespace nystrom::testing
