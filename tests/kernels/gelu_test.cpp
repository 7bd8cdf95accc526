#include "kernels/gelu.h"

#include <bit>
#include <limits>
#include <numbers>

#include "gradient_check.h"
#include "op_support.h"

namespace nystrom::testing {
namespace {

double gelu(Activation kind, double x) {
  if (kind == Activation::kGelu) return 0.5 * x * std::erfc(-x / std::numbers::sqrt2);
  return 0.5 * x * (1 + std::tanh(std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x)));
}

class Gelu : public ::testing::TestWithParam<Activation> {
 protected:
  Context context_{2};
};

TEST_P(Gelu, fp32_is_near_its_rounding_on_the_whole_line) {
  const std::int64_t count = 40001;
  OwnedTensor x(DType::kF32, {count}), y(DType::kF32, {count});
  for (std::int64_t i = 0; i < count; ++i) set(x, i, -20 + 0.001 * static_cast<double>(i));
  gelu_forward(context_, GetParam(), x, y);
  for (std::int64_t i = 0; i < count; ++i) {
    const double expected = gelu(GetParam(), value(x, i));
    ASSERT_NEAR(value(y, i), expected, 3e-7 * std::max(std::abs(expected), 0.2)) << value(x, i);
  }
}

TEST_P(Gelu, is_finite_far_out) {
  const auto x = tensor_of<float>({1, 4}, {-1e4, -100, 100, 1e4});
  const auto d_y = tensor_of<float>({1, 4}, {1, 1, 1, 1});
  OwnedTensor y(DType::kF32, {1, 4}), d_x(DType::kF32, {1, 4});
  gelu_forward(context_, GetParam(), x, y);
  gelu_backward(context_, GetParam(), x, d_y, d_x, {});
  EXPECT_NEAR(value(y, 0), 0, 1e-30);
  EXPECT_NEAR(value(y, 1), 0, 1e-30);
  EXPECT_EQ(value(y, 3), 1e4);
  EXPECT_NEAR(value(d_x, 0), 0, 1e-20);
  EXPECT_NEAR(value(d_x, 1), 0, 1e-20);
  EXPECT_EQ(value(d_x, 2), 1);
  EXPECT_EQ(value(d_x, 3), 1);
}

TEST_P(Gelu, propagates_nan) {
  // The widest vectors have 16 elements: one in a vector, one at the end.
  for (const DType type : {DType::kF32, DType::kBF16}) {
    const auto x = normal(type, {1, 19}, 1), d_y = normal(type, {1, 19}, 2);
    OwnedTensor y(type, {1, 19}), d_x(type, {1, 19});
    set(x, 3, NAN);
    set(x, 18, -NAN);
    gelu_forward(context_, GetParam(), x, y);
    gelu_backward(context_, GetParam(), x, d_y, d_x, {});
    for (std::int64_t i = 0; i < 19; ++i) {
      EXPECT_EQ(std::isnan(value(y, i)), i == 3 || i == 18) << i;
      EXPECT_EQ(std::isnan(value(d_x, i)), i == 3 || i == 18) << i;
    }
  }
}

TEST_P(Gelu, bf16_is_fp32_rounded_wherever_an_element_stands) {
  const std::int64_t count = 65536;
  OwnedTensor x(DType::kBF16, {count}), y(DType::kBF16, {count}), x32(DType::kF32, {count}),
      y32(DType::kF32, {count}), alone(DType::kF32, {1});
  for (std::int64_t i = 0; i < count; ++i) {
    const auto number = static_cast<double>(std::bit_cast<float>(static_cast<std::uint32_t>(i) << 16U));
    set(x, i, number);
    set(x32, i, number);
  }
  gelu_forward(context_, GetParam(), x, y);
  gelu_forward(context_, GetParam(), x32, y32);
  for (std::int64_t i = 0; i < count; ++i) {
    const auto expected = static_cast<float>(value(y32, i));
    if (std::isnan(expected) || std::abs(expected) < std::numeric_limits<float>::min()) continue;
    ASSERT_EQ(value(y, i), static_cast<double>(static_cast<float>(BF16(expected)))) << value(x, i);
    gelu_forward(context_, GetParam(), x32.view().rows(i, 1), alone);
    ASSERT_EQ(value(alone, 0), value(y32, i)) << value(x, i);
  }
}

TEST_P(Gelu, gradients_are_those_of_the_loss) {
  const auto x = normal(DType::kF64, {9, 5}, 1, 2), d_y = normal(DType::kF64, {9, 5}, 2);
  OwnedTensor y(DType::kF64, {9, 5}), d_x(DType::kF64, {9, 5}), d_bias(DType::kF64, {5});
  const auto loss = [&] {
    gelu_forward(context_, GetParam(), x, y);
    return dot(y, d_y);
  };
  gelu_backward(context_, GetParam(), x, d_y, d_x, d_bias);
  expect_gradient("x", x, d_x, loss);
  for (std::int64_t c = 0; c < 5; ++c) {
    double sum = 0;
    for (std::int64_t r = 0; r < 9; ++r) sum += value(d_x, 5 * r + c);
    EXPECT_NEAR(value(d_bias, c), sum, 1e-12);
  }
}

TEST_P(Gelu, fp32_and_bf16_agree_with_fp64) {
  for (const std::int64_t columns : {1, 63, 64, 300}) {
    const Shape shape{71, columns};
    const auto run = [&](DType type, OwnedTensor& y, OwnedTensor& d_x, OwnedTensor& d_bias) {
      const auto x = normal(type, shape, 1, 2), d_y = normal(type, shape, 2);
      y = OwnedTensor(type, shape);
      d_x = OwnedTensor(type, shape);
      d_bias = OwnedTensor(compute_dtype(type), {columns});
      set(d_bias, 0, 3);
      gelu_forward(context_, GetParam(), x, y);
      gelu_backward(context_, GetParam(), x, d_y, d_x, d_bias);
    };
    OwnedTensor y64, d_x64, d_bias64, y, d_x, d_bias;
    run(DType::kF64, y64, d_x64, d_bias64);
    for (const DType type : {DType::kF32, DType::kBF16}) {
      run(type, y, d_x, d_bias);
      EXPECT_LT(distance(y, y64), tolerance(type)) << name_of(type);
      EXPECT_LT(distance(d_x, d_x64), tolerance(type)) << name_of(type);
      EXPECT_LT(distance(d_bias, d_bias64), 1e-6) << name_of(type);
    }
  }
}

TEST_P(Gelu, works_in_place_and_gives_the_same_bits_for_any_thread_count) {
  const Shape shape{267, 130};
  Context one(1);
  OwnedTensor y(DType::kF32, shape), d_x(DType::kF32, shape), d_bias(DType::kF32, {130});
  const auto x = normal(DType::kF32, shape, 1), d_y = normal(DType::kF32, shape, 2);
  gelu_forward(one, GetParam(), x, y);
  gelu_backward(one, GetParam(), x, d_y, d_x, d_bias);
  for (const int threads : kThreadCounts) {
    Context several(threads);
    const auto in_place = normal(DType::kF32, shape, 1), d_in_place = normal(DType::kF32, shape, 2);
    OwnedTensor d_bias_of_several(DType::kF32, {130});
    gelu_backward(several, GetParam(), in_place, d_in_place, d_in_place, d_bias_of_several);
    gelu_forward(several, GetParam(), in_place, in_place);
    EXPECT_TRUE(same_bits(y, in_place)) << threads;
    EXPECT_TRUE(same_bits(d_x, d_in_place)) << threads;
    EXPECT_TRUE(same_bits(d_bias, d_bias_of_several)) << threads;
  }
}

TEST_P(Gelu, accepts_zero_rows) {
  const OwnedTensor x(DType::kF32, {0, 4});
  OwnedTensor d_bias(DType::kF32, {4});
  gelu_forward(context_, GetParam(), x, x);
  gelu_backward(context_, GetParam(), x, x, x, d_bias);
  EXPECT_EQ(value(d_bias, 0), 0);
}

INSTANTIATE_TEST_SUITE_P(Kinds, Gelu, ::testing::Values(Activation::kGelu, Activation::kGeluNew));

}  // namespace
}  // namespace nystrom::testing
