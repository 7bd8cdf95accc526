#include "kernels/linear.h"

#include "gradient_check.h"
#include "kernels/cpu/matmul_bf16.h"
#include "kernels/linear_gelu.h"
#include "op_support.h"

namespace nystrom::testing {
namespace {

struct Sizes {
  std::int64_t rows, in, out;
};

class LinearSizes : public ::testing::TestWithParam<Sizes> {
 protected:
  Context context_{2};
};

/// y, d_x, d_w and d_bias of one layer in `type`, d_w and d_bias started from ones.
struct Trial {
  OwnedTensor x, w, bias, d_y, y, d_x, d_w, d_bias;

  Trial(Context& context, DType type, const Sizes& s)
      : x(normal(type, {s.rows, s.in}, 1)),
        w(normal(type, {s.out, s.in}, 2)),
        bias(normal(compute_dtype(type), {s.out}, 3)),
        d_y(normal(type, {s.rows, s.out}, 4)),
        y(type, {s.rows, s.out}),
        d_x(type, {s.rows, s.in}),
        d_w(compute_dtype(type), {s.out, s.in}),
        d_bias(compute_dtype(type), {s.out}) {
    for (std::int64_t i = 0; i < d_w.view().numel(); ++i) set(d_w, i, 1);
    for (std::int64_t i = 0; i < s.out; ++i) set(d_bias, i, 1);
    linear_forward(context, x, w, bias, y);
    linear_backward_input(context, d_y, w, d_x);
    linear_backward_weight(context, d_y, x, d_w);
    column_sums(context, d_y, d_bias);
  }
};

TEST(Linear, by_hand) {
  Context context(1);
  const auto x = tensor_of<float>({2, 2}, {1, 2, 3, 4});
  const auto w = tensor_of<float>({3, 2}, {1, 0, 0, 1, 1, -1});
  const auto bias = tensor_of<float>({3}, {10, 20, 30});
  OwnedTensor y(DType::kF32, {2, 3});
  linear_forward(context, x, w, bias, y);
  const std::vector<double> expected{11, 22, 29, 13, 24, 29};
  for (std::int64_t i = 0; i < 6; ++i) EXPECT_EQ(value(y, i), expected[static_cast<std::size_t>(i)]);
  OwnedTensor d_w(DType::kF32, {3, 2});
  set(d_w, 0, 100);
  linear_backward_weight(context, y, x, d_w);
  EXPECT_EQ(value(d_w, 0), 100 + 11 * 1 + 13 * 3);
  EXPECT_EQ(value(d_w, 5), 29 * 2 + 29 * 4);
  OwnedTensor sums(DType::kF32, {3});
  column_sums(context, y, sums);
  EXPECT_EQ(value(sums, 1), 22 + 24);
  linear_backward_weight(context, y, x, d_w, sums);
  EXPECT_EQ(value(d_w, 0), 100 + 2 * (11 * 1 + 13 * 3));
  EXPECT_EQ(value(sums, 1), 2 * (22 + 24));
}

TEST(LinearGelu, by_hand) {
  Context context(1);
  const auto x = tensor_of<double>({1, 2}, {1, 2}), w = tensor_of<double>({2, 2}, {1, 0, 0, 1});
  const auto bias = tensor_of<double>({2}, {-1, 0}), w_next = tensor_of<double>({1, 2}, {3, 5});
  const auto d_next = tensor_of<double>({1, 1}, {2}), d_w = tensor_of<double>({2, 2}, {0, 0, 0, 100});
  const auto d_bias = tensor_of<double>({2}, {10, 0});
  const OwnedTensor pre(DType::kF64, {1, 2}), y(DType::kF64, {1, 2}), d_pre(DType::kF64, {1, 2});
  linear_gelu_forward(context, {Activation::kGelu, x, w, bias, pre, y});
  EXPECT_EQ(value(pre, 0), 0);
  EXPECT_EQ(value(pre, 1), 2);
  EXPECT_EQ(value(y, 0), 0);
  EXPECT_NEAR(value(y, 1), 2 * 0.9772498680518208, 1e-12);
  linear_gelu_backward(context, {Activation::kGelu, d_next, w_next, pre, x, d_pre, d_w, d_bias});
  const double slope = 0.9772498680518208 + 2 * 0.05399096651318806;
  EXPECT_NEAR(value(d_pre, 0), 2 * 3 * 0.5, 1e-12);
  EXPECT_NEAR(value(d_pre, 1), 2 * 5 * slope, 1e-12);
  EXPECT_NEAR(value(d_w, 0), 3, 1e-12);
  EXPECT_NEAR(value(d_w, 3), 100 + 2 * 2 * 5 * slope, 1e-11);
  EXPECT_NEAR(value(d_bias, 0), 13, 1e-12);
}

TEST_P(LinearSizes, fp32_and_bf16_agree_with_fp64) {
  const Trial reference(context_, DType::kF64, GetParam());
  for (const DType type : {DType::kF32, DType::kBF16}) {
    const Trial run(context_, type, GetParam());
    EXPECT_LT(distance(run.y, reference.y), tolerance(type)) << name_of(type);
    EXPECT_LT(distance(run.d_x, reference.d_x), tolerance(type)) << name_of(type);
    EXPECT_LT(distance(run.d_w, reference.d_w), 1e-6) << name_of(type);
    EXPECT_LT(distance(run.d_bias, reference.d_bias), 1e-6) << name_of(type);
  }
}

TEST_P(LinearSizes, gives_the_same_bits_twice) {
  for (const DType type : {DType::kF32, DType::kBF16}) {
    const Trial one(context_, type, GetParam()), two(context_, type, GetParam());
    EXPECT_TRUE(same_bits(one.y, two.y));
    EXPECT_TRUE(same_bits(one.d_x, two.d_x));
    EXPECT_TRUE(same_bits(one.d_w, two.d_w));
    EXPECT_TRUE(same_bits(one.d_bias, two.d_bias));
  }
}

TEST_P(LinearSizes, bf16_products_may_stay_in_fp32_and_add_up) {
  const Sizes s = GetParam();
  const Trial reference(context_, DType::kF64, s);
  const Trial bf16(context_, DType::kBF16, s);
  OwnedTensor y(DType::kF32, {s.rows, s.out}), d_x(DType::kF32, {s.rows, s.in});
  linear_forward(context_, bf16.x, bf16.w, bf16.bias, y);
  EXPECT_LT(distance(y, reference.y), 1e-6);
  linear_backward_input(context_, bf16.d_y, bf16.w, d_x);
  linear_backward_input(context_, bf16.d_y, bf16.w, d_x, true);
  for (std::int64_t i = 0; i < d_x.view().numel(); ++i) set(d_x, i, value(d_x, i) / 2);
  EXPECT_LT(distance(d_x, reference.d_x), 1e-6);
}

TEST_P(LinearSizes, processors_without_bf16_compute_it_through_fp32) {
  const Sizes s = GetParam();
  const Trial reference(context_, DType::kF64, s), bf16(context_, DType::kBF16, s);
  OwnedTensor y(DType::kBF16, {s.rows, s.out}), d_w(DType::kF32, {s.out, s.in});
  for (std::int64_t i = 0; i < d_w.view().numel(); ++i) set(d_w, i, 1);
  Matmul forward;
  forward.a = bf16.x, forward.b = bf16.w, forward.transpose_b = true, forward.bias = bf16.bias, forward.c = y;
  matmul_bf16_by_f32(context_, forward);
  Matmul weight;
  weight.a = bf16.d_y, weight.transpose_a = true, weight.b = bf16.x, weight.c = d_w, weight.accumulate = true;
  matmul_bf16_by_f32(context_, weight);
  EXPECT_LT(distance(y, reference.y), tolerance(DType::kBF16));
  EXPECT_LT(distance(d_w, reference.d_w), 1e-6);
}

INSTANTIATE_TEST_SUITE_P(Ragged, LinearSizes,
                         ::testing::Values(Sizes{1, 1, 1}, Sizes{7, 33, 5}, Sizes{130, 48, 257},
                                           Sizes{64, 64, 64}, Sizes{321, 100, 2}));

TEST(Linear, gradients_are_those_of_the_loss) {
  Context context(2);
  const auto x = normal(DType::kF64, {5, 7}, 1), w = normal(DType::kF64, {6, 7}, 2),
             bias = normal(DType::kF64, {6}, 3);
  const auto d_y = normal(DType::kF64, {5, 6}, 4);
  OwnedTensor y(DType::kF64, {5, 6}), d_x(DType::kF64, {5, 7}), d_w(DType::kF64, {6, 7}),
      d_bias(DType::kF64, {6});
  const auto loss = [&] {
    linear_forward(context, x, w, bias, y);
    return dot(y, d_y);
  };
  linear_backward_input(context, d_y, w, d_x);
  linear_backward_weight(context, d_y, x, d_w);
  column_sums(context, d_y, d_bias);
  expect_gradient("x", x, d_x, loss);
  expect_gradient("w", w, d_w, loss);
  expect_gradient("bias", bias, d_bias, loss);
}

TEST(Linear, zero_rows_change_no_gradient) {
  Context context(2);
  for (const DType type : {DType::kF32, DType::kBF16, DType::kF64}) {
    const Trial run(context, type, {0, 8, 4});
    for (std::int64_t i = 0; i < 32; ++i) EXPECT_EQ(value(run.d_w, i), 1);
    for (std::int64_t i = 0; i < 4; ++i) EXPECT_EQ(value(run.d_bias, i), 1);
  }
}

TEST(Linear, refuses_shapes_that_do_not_match) {
  Context context(1);
  const OwnedTensor x(DType::kF32, {2, 3}), w(DType::kF32, {4, 5}), y(DType::kF32, {2, 4});
  EXPECT_THROW(linear_forward(context, x, w, {}, y), InternalError);
}

TEST(Linear, counts_operations_and_bytes) {
  Context context(1);
  Profile profile;
  context.set_profile(&profile);
  const OwnedTensor x(DType::kF32, {2, 3}), w(DType::kF32, {4, 3}), y(DType::kF32, {2, 4});
  linear_forward(context, x, w, {}, y);
  EXPECT_EQ(profile.at("linear_forward").calls, 1);
  EXPECT_EQ(profile.at("linear_forward").flops, 2 * 2 * 3 * 4);
  EXPECT_EQ(profile.at("linear_forward").bytes, 4 * (2 * 3 + 4 * 3 + 2 * 4));
}

TEST(ColumnSums, do_not_depend_on_the_thread_count) {
  const auto d_y = normal(DType::kF32, {333, 777}, 5);
  OwnedTensor one(DType::kF32, {777});
  Context single(1);
  column_sums(single, d_y, one);
  for (const int threads : kThreadCounts) {
    OwnedTensor sums(DType::kF32, {777});
    Context several(threads);
    column_sums(several, d_y, sums);
    EXPECT_TRUE(same_bits(one, sums)) << threads;
  }
}

}  // namespace
}  // namespace nystrom::testing
