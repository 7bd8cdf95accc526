// Features and rotations of attention: what is drawn, and of what it is a function.

#include "model/attention/random.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace nystrom {
namespace {

double dot(const float* a, const float* b, std::int64_t count) {
  double sum = 0;
  for (std::int64_t i = 0; i < count; ++i) sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  return sum;
}

TEST(Features, are_orthogonal_in_blocks_and_as_long_as_normal_rows) {
  const FeatureShape shape{.layer = 2, .heads = 3, .features = 40, .width = 16};
  std::vector<float> values(3 * 40 * 16);
  draw_features({7, 1}, shape, values);
  double squares = 0;
  for (std::int64_t head = 0; head < 3; ++head)
    for (std::int64_t i = 0; i < 40; ++i) {
      const float* const row = values.data() + (head * 40 + i) * 16;
      squares += dot(row, row, 16) / 120;
      for (std::int64_t j = i / 16 * 16; j < i; ++j) {
        const float* const other = values.data() + (head * 40 + j) * 16;
        EXPECT_NEAR(dot(row, other, 16), 0, 1e-5) << i << " and " << j;
      }
    }
  EXPECT_NEAR(squares, 16, 1.6);  // of 120 lengths of 16 degrees of freedom
}

TEST(Features, differ_by_seed_draw_layer_and_head) {
  const auto drawn = [](std::uint64_t seed, std::int64_t number, std::int64_t layer) {
    std::vector<float> values(2 * 5 * 8);
    draw_features({seed, number}, {.layer = layer, .heads = 2, .features = 5, .width = 8}, values);
    return values;
  };
  const auto one = drawn(1, 0, 0);
  EXPECT_EQ(one, drawn(1, 0, 0));
  EXPECT_NE(one, drawn(2, 0, 0));
  EXPECT_NE(one, drawn(1, 1, 0));
  EXPECT_NE(one, drawn(1, 0, 1));
  EXPECT_NE(std::vector(one.begin(), one.begin() + 40), std::vector(one.begin() + 40, one.end()));
}

TEST(Rotations, begin_alike_however_many_there_are) {
  const auto drawn = [](std::int64_t rotations) {
    std::vector<float> values(static_cast<std::size_t>(2 * 3 * rotations * 4));
    draw_rotations({1, 5}, {.layer = 1, .rounds = 2, .heads = 3, .rotations = rotations, .width = 4}, values);
    return values;
  };
  const auto few = drawn(2), many = drawn(6);
  for (std::size_t row = 0; row < 6; ++row)
    for (std::size_t i = 0; i < 8; ++i) EXPECT_EQ(few[row * 8 + i], many[row * 24 + i]);
  EXPECT_NE(std::vector(few.begin(), few.begin() + 8), std::vector(few.begin() + 8, few.begin() + 16));
}

TEST(Draws, are_those_of_the_step_in_training_and_the_same_for_all_otherwise) {
  EXPECT_EQ(draw_of({.training = true, .seed = 3, .step = 7}, 1), (AttentionDraw{3, 8}));
  EXPECT_EQ(draw_of({.training = true, .seed = 3, .step = 7}, 4), (AttentionDraw{3, 2}));
  EXPECT_EQ(draw_of({.training = true, .seed = 3, .step = 7}, 0), AttentionDraw{});
  EXPECT_EQ(draw_of({.training = false, .seed = 3, .step = 7}, 1), AttentionDraw{});
}

}  // namespace
}  // namespace nystrom
