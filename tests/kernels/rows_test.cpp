#include "kernels/rows.h"

#include <limits>

#include "gradient_check.h"
#include "op_support.h"

namespace nystrom::testing {
namespace {

TEST(GatherRows, picks_rows_and_scatter_puts_them_back) {
  Context context(2);
  for (const DType type : {DType::kF32, DType::kBF16, DType::kF64}) {
    const auto x = normal(type, {40, 5}, 1);
    const auto rows =
        integers<std::int32_t>({39, 0, 7, 8, 3, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26});
    OwnedTensor y(type, {20, 5}), d_x(type, {40, 5});
    gather_rows(context, x, rows, y);
    EXPECT_EQ(value(y, 0), value(x, 39 * 5));
    EXPECT_EQ(value(y, 14), value(x, 7 * 5 + 4));
    const auto z = normal(type, {40, 5}, 2), before = normal(type, {40, 5}, 2);
    scatter_rows(context, y, rows, z);
    EXPECT_EQ(value(z, 7 * 5 + 4), value(x, 7 * 5 + 4));
    EXPECT_EQ(value(z, 26 * 5), value(x, 26 * 5));
    EXPECT_EQ(value(z, 6), value(before, 6));  // row 1 stays
    set(d_x, 7 * 5 + 4, 0.5);
    scatter_add_rows(context, y, rows, d_x);
    EXPECT_NEAR(value(d_x, 7 * 5 + 4), 0.5 + value(x, 7 * 5 + 4), 0.01);
    EXPECT_EQ(value(d_x, 39 * 5 + 1), value(x, 39 * 5 + 1));
    EXPECT_EQ(value(d_x, 6), 0);  // row 1 was not picked
  }
}

TEST(GatherRows, refuses_a_row_that_is_not_there) {
  Context context(1);
  const OwnedTensor x(DType::kF32, {4, 2}), y(DType::kF32, {1, 2});
  EXPECT_THROW(gather_rows(context, x, integers<std::int32_t>({4}), y), InternalError);
  EXPECT_THROW(scatter_rows(context, y, integers<std::int32_t>({4}), x), InternalError);
  EXPECT_THROW(scatter_add_rows(context, y, integers<std::int32_t>({-1}), x), InternalError);
}

// No rows of larger tensors: nothing around them is written.
TEST(GatherRows, accepts_zero_rows) {
  Context context(2);
  const auto x = normal(DType::kF32, {4, 2}, 1), before_x = normal(DType::kF32, {4, 2}, 1);
  const auto y = normal(DType::kF32, {4, 2}, 2), before_y = normal(DType::kF32, {4, 2}, 2);
  const OwnedTensor rows(DType::kI32, {0});
  gather_rows(context, x, rows, y.view().rows(1, 0));
  EXPECT_TRUE(same_bits(y, before_y));
  scatter_rows(context, y.view().rows(1, 0), rows, x);
  scatter_add_rows(context, y.view().rows(1, 0), rows, x);
  EXPECT_TRUE(same_bits(x, before_x));
}

TEST(Tanh, gradient_is_that_of_the_loss) {
  Context context(2);
  const auto x = normal(DType::kF64, {3, 7}, 1), d_y = normal(DType::kF64, {3, 7}, 2);
  OwnedTensor y(DType::kF64, {3, 7}), d_x(DType::kF64, {3, 7});
  const auto loss = [&] {
    tanh_forward(context, x, y);
    return dot(y, d_y);
  };
  loss();
  tanh_backward(context, y, d_y, d_x);
  expect_gradient("x", x, d_x, loss);
}

TEST(Tanh, fp32_and_bf16_agree_with_fp64_in_place) {
  Context context(2);
  const auto x64 = normal(DType::kF64, {50, 70}, 1, 2), d_y64 = normal(DType::kF64, {50, 70}, 2);
  tanh_forward(context, x64, x64);
  tanh_backward(context, x64, d_y64, d_y64);
  for (const DType type : {DType::kF32, DType::kBF16}) {
    const auto x = normal(type, {50, 70}, 1, 2), d_y = normal(type, {50, 70}, 2);
    tanh_forward(context, x, x);
    tanh_backward(context, x, d_y, d_y);
    EXPECT_LT(distance(x, x64), tolerance(type)) << name_of(type);
    EXPECT_LT(distance(d_y, d_y64), 2 * tolerance(type)) << name_of(type);
  }
}

TEST(Dropout, matches_its_definition_bit_for_bit) {
  Context context(2);
  for (const std::int64_t columns : {1, 7, 8, 40, 511, 512, 520, 1203}) {
    const std::int64_t rows = 23;
    const TestKeys keys(rows);
    const Dropout dropout{.probability = 0.3, .seed = 0x123456789abcdefULL, .site = 5};
    for (const DType type : {DType::kF32, DType::kBF16, DType::kF64}) {
      const auto x = normal(type, {rows, columns}, 1);
      OwnedTensor y(type, {rows, columns});
      dropout_rows(context, dropout, keys.view(), x, y);
      for (std::int64_t i = 0; i < rows * columns; ++i) {
        const std::int64_t row = i / columns;
        const double factor =
            dropout_factor(dropout, keys.samples.view().data<std::int64_t>()[row],
                           keys.positions.view().data<std::int32_t>()[row], columns, i % columns);
        OwnedTensor expected(type, {1});
        if (type == DType::kF64)
          set(expected, 0, value(x, i) * factor);
        else
          set(expected, 0, static_cast<double>(static_cast<float>(value(x, i)) * static_cast<float>(factor)));
        ASSERT_EQ(value(y, i), value(expected, 0)) << name_of(type) << " element " << i << " of " << columns;
      }
    }
  }
}

TEST(Dropout, keeps_the_stated_fraction_and_the_mean) {
  Context context(2);
  const std::int64_t rows = 512, columns = 768;
  const TestKeys keys(rows);
  OwnedTensor x(DType::kF32, {rows, columns});
  for (const double probability : {0.1, 0.5, 0.9}) {
    for (std::int64_t i = 0; i < rows * columns; ++i) set(x, i, 1);
    dropout_rows(context, {.probability = probability, .seed = 9, .site = 1}, keys.view(), x, x);
    double sum = 0, kept = 0;
    for (std::int64_t i = 0; i < rows * columns; ++i) {
      sum += value(x, i);
      kept += value(x, i) != 0 ? 1 : 0;
    }
    const auto count = static_cast<double>(rows * columns);
    const double deviation = std::sqrt(probability * (1 - probability) / count);
    EXPECT_NEAR(kept / count, 1 - probability, 5 * deviation);
    EXPECT_NEAR(sum / count, 1, 5 * deviation / (1 - probability));
  }
}

TEST(Dropout, draws_differ_between_sites_seeds_samples_and_positions) {
  Context context(1);
  const auto keys_of = [](std::int64_t sample, std::int32_t position) {
    return std::pair(integers<std::int64_t>({sample}), integers<std::int32_t>({position}));
  };
  const auto draw_with = [&](Dropout dropout, std::int64_t sample, std::int32_t position) {
    OwnedTensor x(DType::kF32, {1, 256});
    for (std::int64_t i = 0; i < 256; ++i) set(x, i, 1);
    const auto [samples, positions] = keys_of(sample, position);
    dropout_rows(context, dropout, {samples, positions}, x, x);
    return x;
  };
  const Dropout dropout{.probability = 0.5, .seed = 1, .site = 1};
  const auto first = draw_with(dropout, 3, 4);
  EXPECT_TRUE(same_bits(first, draw_with(dropout, 3, 4)));
  EXPECT_FALSE(same_bits(first, draw_with(dropout, 3, 5)));
  EXPECT_FALSE(same_bits(first, draw_with(dropout, 4, 4)));
  EXPECT_FALSE(same_bits(first, draw_with({.probability = 0.5, .seed = 2, .site = 1}, 3, 4)));
  EXPECT_FALSE(same_bits(first, draw_with({.probability = 0.5, .seed = 1, .site = 2}, 3, 4)));
}

TEST(Dropout, rows_split_among_calls_are_the_same) {
  Context one(1), three(3);
  const TestKeys keys(50);
  const Dropout dropout{.probability = 0.2, .seed = 4, .site = 2};
  const auto x = normal(DType::kF32, {50, 99}, 1);
  OwnedTensor whole(DType::kF32, {50, 99}), parts(DType::kF32, {50, 99});
  dropout_rows(three, dropout, keys.view(), x, whole);
  for (std::int64_t begin = 0; begin < 50; begin += 10)
    dropout_rows(one, dropout, {keys.samples.view().rows(begin, 10), keys.positions.view().rows(begin, 10)},
                 x.view().rows(begin, 10), parts.view().rows(begin, 10));
  EXPECT_TRUE(same_bits(whole, parts));
}

TEST(Dropout, of_probability_zero_is_a_copy) {
  Context context(2);
  const auto x = normal(DType::kF32, {5, 9}, 1);
  OwnedTensor y(DType::kF32, {5, 9});
  dropout_rows(context, {}, {}, x, y);
  EXPECT_TRUE(same_bits(x, y));
}

TEST(Convert, rounds_to_nearest_even_and_keeps_what_is_not_a_number) {
  Context context(2);
  const auto from = tensor_of<float>({6}, {1.00390625, 1.01171875, -0.0, NAN, INFINITY, 3.3e38});
  OwnedTensor to(DType::kBF16, {6}), back(DType::kF64, {6});
  convert(context, from, to);
  convert(context, to, back);
  EXPECT_EQ(value(back, 0), 1.0);       // halfway: to even
  EXPECT_EQ(value(back, 1), 1.015625);  // halfway: to even, upwards
  EXPECT_TRUE(std::signbit(value(back, 2)));
  EXPECT_TRUE(std::isnan(value(back, 3)));
  EXPECT_EQ(value(back, 4), std::numeric_limits<double>::infinity());
  EXPECT_EQ(to.view().data<BF16>()[5].bits, BF16(3.3e38F).bits);
}

TEST(Convert, converts_between_all_types) {
  Context context(2);
  for (const DType from : {DType::kF32, DType::kBF16, DType::kF64})
    for (const DType to : {DType::kF32, DType::kBF16, DType::kF64}) {
      const auto x = normal(from, {1001}, 1);
      OwnedTensor y(to, {1001});
      convert(context, x, y);
      for (std::int64_t i = 0; i < 1001; ++i) ASSERT_EQ(value(x, i), value(y, i));
    }
}

TEST(SquaredNorm, does_not_depend_on_the_thread_count) {
  Context one(1);
  for (const std::int64_t count : {0, 1, 255, 100'003}) {
    const auto x = normal(DType::kF32, {count}, 1);
    double expected = 0;
    for (std::int64_t i = 0; i < count; ++i) expected += value(x, i) * value(x, i);
    EXPECT_NEAR(squared_norm(one, x), expected, 1e-12 * expected);
    for (const int threads : kThreadCounts) {
      Context several(threads);
      EXPECT_EQ(squared_norm(one, x), squared_norm(several, x)) << threads;
    }
  }
}

TEST(SquaredNorm, shows_what_is_not_finite) {
  Context context(2);
  for (const double bad : {static_cast<double>(NAN), static_cast<double>(INFINITY)}) {
    const auto x = normal(DType::kF32, {70'000}, 1);
    set(x, 69'999, bad);
    EXPECT_FALSE(std::isfinite(squared_norm(context, x)));
  }
  EXPECT_TRUE(std::isfinite(
      squared_norm(context, tensor_of<float>({2}, {1e30, 1e30}))));  // whose squares fp32 cannot hold
}

}  // namespace
}  // namespace nystrom::testing
