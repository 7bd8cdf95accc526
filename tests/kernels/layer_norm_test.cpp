#include "kernels/layer_norm.h"

#include "gradient_check.h"
#include "op_support.h"

namespace nystrom::testing {
namespace {

struct Case {
  std::int64_t rows, columns;
  bool residual, bias;
  double dropout;
};

void PrintTo(const Case& c, std::ostream* to) {
  *to << c.rows << "x" << c.columns << (c.residual ? " residual" : "") << (c.bias ? " bias" : "") << " "
      << c.dropout;
}

/// All tensors of one forward and backward.
struct Trial {
  OwnedTensor residual, branch, bias, gamma, beta, d_y;
  OwnedTensor z, stats, y, d_z, d_branch, d_gamma, d_beta, d_bias;
  TestKeys keys;
  Dropout dropout;
  Case what;

  Trial(DType type, const Case& c)
      : residual(normal(type, {c.rows, c.columns}, 1)),
        branch(normal(type, {c.rows, c.columns}, 2)),
        bias(normal(compute_dtype(type), {c.columns}, 3)),
        gamma(normal(compute_dtype(type), {c.columns}, 4)),
        beta(normal(compute_dtype(type), {c.columns}, 5)),
        d_y(normal(type, {c.rows, c.columns}, 6)),
        z(type, {c.rows, c.columns}),
        stats(compute_dtype(type), {c.rows, 2}),
        y(type, {c.rows, c.columns}),
        d_z(type, {c.rows, c.columns}),
        d_branch(type, {c.rows, c.columns}),
        d_gamma(compute_dtype(type), {c.columns}),
        d_beta(compute_dtype(type), {c.columns}),
        d_bias(compute_dtype(type), {c.columns}),
        keys(c.rows),
        dropout{.probability = c.dropout, .seed = 77, .site = 3},
        what(c) {}

  void forward(Context& context) const {
    layer_norm_forward(context, {.residual = what.residual ? residual.view() : Tensor(),
                                 .branch = branch,
                                 .bias = what.bias ? bias.view() : Tensor(),
                                 .gamma = gamma,
                                 .beta = beta,
                                 .dropout = dropout,
                                 .keys = keys.view(),
                                 .z = z,
                                 .stats = stats,
                                 .y = y});
  }
  void backward(Context& context) const {
    layer_norm_backward(context, {.d_y = d_y,
                                  .z = z,
                                  .stats = stats,
                                  .gamma = gamma,
                                  .dropout = dropout,
                                  .keys = keys.view(),
                                  .d_z = d_z,
                                  .d_branch = d_branch,
                                  .d_gamma = d_gamma,
                                  .d_beta = d_beta,
                                  .d_bias = what.bias ? d_bias.view() : Tensor()});
  }
};

class LayerNorm : public ::testing::TestWithParam<Case> {
 protected:
  Context context_{2};
};

TEST(LayerNormByHand, a_row_of_four) {
  Context context(1);
  const auto branch = tensor_of<double>({1, 4}, {1, 2, 3, 6});
  const auto residual = tensor_of<double>({1, 4}, {0, 0, 1, 1});
  const auto bias = tensor_of<double>({4}, {1, 0, 0, -1});
  const auto gamma = tensor_of<double>({4}, {1, 2, 1, 1});
  const auto beta = tensor_of<double>({4}, {0, 0, 5, 0});
  OwnedTensor z(DType::kF64, {1, 4}), stats(DType::kF64, {1, 2}), y(DType::kF64, {1, 4});
  LayerNormForward args;
  args.residual = residual, args.branch = branch, args.bias = bias, args.gamma = gamma, args.beta = beta;
  args.epsilon = 0.5, args.z = z, args.stats = stats, args.y = y;
  layer_norm_forward(context, args);
  // z = 2 2 4 6: mean 3.5, variance 2.75
  EXPECT_EQ(value(z, 2), 4);
  EXPECT_EQ(value(stats, 0), 3.5);
  EXPECT_NEAR(value(stats, 1), 1 / std::sqrt(3.25), 1e-15);
  EXPECT_NEAR(value(y, 1), 2 * -1.5 / std::sqrt(3.25), 1e-15);
  EXPECT_NEAR(value(y, 2), 5 + 0.5 / std::sqrt(3.25), 1e-15);
}

TEST_P(LayerNorm, gradients_are_those_of_the_loss) {
  const Trial run(DType::kF64, GetParam());
  const auto loss = [&] {
    run.forward(context_);
    return dot(run.y, run.d_y);
  };
  loss();
  run.backward(context_);
  if (run.what.residual) expect_gradient("residual", run.residual, run.d_z, loss);
  expect_gradient("branch", run.branch, run.d_branch, loss);
  expect_gradient("gamma", run.gamma, run.d_gamma, loss);
  expect_gradient("beta", run.beta, run.d_beta, loss);
  if (run.what.bias) expect_gradient("bias", run.bias, run.d_bias, loss);
}

TEST_P(LayerNorm, fp32_and_bf16_agree_with_fp64) {
  const Trial reference(DType::kF64, GetParam());
  reference.forward(context_);
  reference.backward(context_);
  for (const DType type : {DType::kF32, DType::kBF16}) {
    const Trial run(type, GetParam());
    run.forward(context_);
    run.backward(context_);
    // A build without vectors adds up a row's 1030 numbers one after another, which rounds more.
    constexpr double kSum = 4e-6;
    const double near = type == DType::kF32 ? kSum : 1e-2;
    EXPECT_LT(distance(run.y, reference.y), near) << name_of(type);
    EXPECT_LT(distance(run.stats, reference.stats), kSum) << name_of(type);
    EXPECT_LT(distance(run.d_z, reference.d_z), near) << name_of(type);
    EXPECT_LT(distance(run.d_branch, reference.d_branch), near) << name_of(type);
    EXPECT_LT(distance(run.d_gamma, reference.d_gamma), near) << name_of(type);
    EXPECT_LT(distance(run.d_beta, reference.d_beta), kSum) << name_of(type);
    if (run.what.bias) {
      EXPECT_LT(distance(run.d_bias, reference.d_bias), near) << name_of(type);
    }
  }
}

TEST_P(LayerNorm, gives_the_same_bits_for_any_thread_count) {
  Context one(1);
  const Trial a(DType::kF32, GetParam());
  a.forward(one);
  a.backward(one);
  for (const int threads : kThreadCounts) {
    Context several(threads);
    const Trial b(DType::kF32, GetParam());
    b.forward(several);
    b.backward(several);
    EXPECT_TRUE(same_bits(a.y, b.y)) << threads;
    EXPECT_TRUE(same_bits(a.d_z, b.d_z)) << threads;
    EXPECT_TRUE(same_bits(a.d_branch, b.d_branch)) << threads;
    EXPECT_TRUE(same_bits(a.d_gamma, b.d_gamma)) << threads;
    EXPECT_TRUE(same_bits(a.d_beta, b.d_beta)) << threads;
    EXPECT_TRUE(same_bits(a.d_bias, b.d_bias)) << threads;
  }
}

TEST_P(LayerNorm, works_in_place) {
  const Trial apart(DType::kBF16, GetParam());
  apart.forward(context_);
  apart.backward(context_);
  Trial joined(DType::kBF16, GetParam());
  joined.z = OwnedTensor();
  LayerNormForward forward{.residual = joined.what.residual ? joined.residual.view() : Tensor(),
                           .branch = joined.branch,
                           .bias = joined.what.bias ? joined.bias.view() : Tensor(),
                           .gamma = joined.gamma,
                           .beta = joined.beta,
                           .dropout = joined.dropout,
                           .keys = joined.keys.view(),
                           .z = joined.branch,
                           .stats = joined.stats,
                           .y = joined.y};
  layer_norm_forward(context_, forward);
  EXPECT_TRUE(same_bits(joined.branch, apart.z));
  EXPECT_TRUE(same_bits(joined.y, apart.y));
  LayerNormBackward backward{.d_y = joined.d_y,
                             .z = joined.branch,
                             .stats = joined.stats,
                             .gamma = joined.gamma,
                             .dropout = joined.dropout,
                             .keys = joined.keys.view(),
                             .d_z = joined.d_y,
                             .d_branch = joined.dropout.active() ? joined.d_branch.view() : joined.d_y.view(),
                             .d_gamma = joined.d_gamma,
                             .d_beta = joined.d_beta,
                             .d_bias = joined.what.bias ? joined.d_bias.view() : Tensor()};
  layer_norm_backward(context_, backward);
  EXPECT_TRUE(same_bits(joined.d_y, apart.d_z));
  EXPECT_TRUE(same_bits(backward.d_branch, apart.d_branch));
  EXPECT_TRUE(same_bits(joined.d_gamma, apart.d_gamma));
  EXPECT_TRUE(same_bits(joined.d_bias, apart.d_bias));
}

INSTANTIATE_TEST_SUITE_P(Cases, LayerNorm,
                         ::testing::Values(Case{3, 8, false, false, 0}, Case{20, 48, true, true, 0},
                                           Case{17, 33, true, true, 0.3}, Case{65, 300, true, false, 0.1},
                                           Case{9, 1030, false, true, 0.5}));

TEST(LayerNormRows, a_large_mean_does_not_drown_the_variance) {
  Context context(1);
  OwnedTensor branch(DType::kF32, {1, 64}), z(DType::kF32, {1, 64}), stats(DType::kF32, {1, 2}),
      y(DType::kF32, {1, 64});
  OwnedTensor gamma(DType::kF32, {64}), beta(DType::kF32, {64});
  for (std::int64_t c = 0; c < 64; ++c) {
    set(gamma, c, 1);
    set(branch, c, 10000 + (c % 2 == 0 ? 1 : -1));
  }
  LayerNormForward args;
  args.branch = branch, args.gamma = gamma, args.beta = beta, args.epsilon = 0;
  args.z = z, args.stats = stats, args.y = y;
  layer_norm_forward(context, args);
  EXPECT_EQ(value(stats, 1), 1);
  EXPECT_EQ(value(y, 0), 1);
  EXPECT_EQ(value(y, 1), -1);
}

TEST(LayerNormRows, zero_are_accepted) {
  Context context(2);
  const Trial run(DType::kF32, {0, 8, true, true, 0.1});
  run.forward(context);
  run.backward(context);
  EXPECT_EQ(value(run.d_gamma, 0), 0);
}

}  // namespace
}  // namespace nystrom::testing
