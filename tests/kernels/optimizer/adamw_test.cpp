#include "kernels/optimizer/adamw.h"

#include <limits>

#include "kernels/optimizer/clip_factor.h"
#include "op_support.h"

namespace nystrom::testing {
namespace {

struct State {
  OwnedTensor w, g, m, v, copy;

  State(DType type, std::int64_t count, DType copy_type)
      : w(normal(type, {count}, 1)),
        g(normal(type, {count}, 2)),
        m(type, {count}),
        v(type, {count}),
        copy(copy_type, {count}) {}

  void step(Context& context, std::int64_t step, double scale = 1) const {
    adamw_step(context, {.weights = w,
                         .gradients = g,
                         .m = m,
                         .v = v,
                         .copy = copy,
                         .config = {},
                         .learning_rate = 0.01,
                         .weight_decay = 0.1,
                         .gradient_scale = scale,
                         .step = step});
  }
};

TEST(AdamW, two_steps_follow_the_formula) {
  Context context(2);
  const State state(DType::kF64, 300, DType::kF64);
  std::vector<double> w(300), m(300), v(300);
  for (std::int64_t i = 0; i < 300; ++i) w[static_cast<std::size_t>(i)] = value(state.w, i);
  for (std::int64_t step = 1; step <= 2; ++step) {
    state.step(context, step, 0.5);
    for (std::size_t i = 0; i < 300; ++i) {
      const double g = 0.5 * value(state.g, static_cast<std::int64_t>(i));
      w[i] -= 0.01 * 0.1 * w[i];
      m[i] = 0.9 * m[i] + 0.1 * g;
      v[i] = 0.999 * v[i] + 0.001 * g * g;
      const auto t = static_cast<double>(step);
      w[i] -= 0.01 * (m[i] / (1 - std::pow(0.9, t))) /
              (std::sqrt(v[i]) / std::sqrt(1 - std::pow(0.999, t)) + 1e-6);
      EXPECT_NEAR(value(state.w, static_cast<std::int64_t>(i)), w[i], 1e-13);
      EXPECT_NEAR(value(state.v, static_cast<std::int64_t>(i)), v[i], 1e-15);
    }
  }
}

TEST(AdamW, fp32_agrees_with_fp64_and_the_copy_is_the_rounded_weights) {
  Context one(1);
  const auto run = [](Context& context, const State& state) {
    for (std::int64_t step = 1; step <= 3; ++step) state.step(context, step);
  };
  const State reference(DType::kF64, 50'001, DType::kF64), a(DType::kF32, 50'001, DType::kBF16);
  run(one, reference);
  run(one, a);
  EXPECT_LT(distance(a.w, reference.w), 1e-7);
  for (const int threads : kThreadCounts) {
    Context several(threads);
    const State b(DType::kF32, 50'001, DType::kBF16);
    run(several, b);
    EXPECT_TRUE(same_bits(a.w, b.w)) << threads;
  }
  for (std::int64_t i = 0; i < 50'001; ++i)
    ASSERT_EQ(a.copy.view().data<BF16>()[i].bits, BF16(a.w.view().data<float>()[i]).bits);
}

TEST(AdamW, works_without_a_rounded_copy) {
  Context context(2);
  const State with_copy(DType::kF32, 300, DType::kBF16);
  State without(DType::kF32, 300, DType::kBF16);
  without.copy = OwnedTensor();
  with_copy.step(context, 1);
  without.step(context, 1);
  EXPECT_TRUE(same_bits(without.w, with_copy.w));
  EXPECT_TRUE(same_bits(without.v, with_copy.v));
}

// An empty shard within larger tensors: nothing around it is written.
TEST(AdamW, accepts_zero_weights) {
  Context context(2);
  const State state(DType::kF32, 64, DType::kBF16), before(DType::kF32, 64, DType::kBF16);
  const auto empty = [](const Tensor& flat) { return flat.rows(8, 0); };
  adamw_step(context, {.weights = empty(state.w),
                       .gradients = empty(state.g),
                       .m = empty(state.m),
                       .v = empty(state.v),
                       .copy = empty(state.copy),
                       .config = {},
                       .learning_rate = 0.01,
                       .weight_decay = 0.1});
  EXPECT_TRUE(same_bits(state.w, before.w));
  EXPECT_TRUE(same_bits(state.m, before.m));
  EXPECT_TRUE(same_bits(state.v, before.v));
  EXPECT_TRUE(same_bits(state.copy, before.copy));
}

TEST(AdamW, groups_are_separate_steps) {
  Context context(2);
  const State together(DType::kF64, 100, DType::kF64), apart(DType::kF64, 100, DType::kF64);
  const auto begins = integers<std::int64_t>({0, 27, 80});
  const auto rates = tensor_of<double>({3}, {1, 0.5, 0.25}), decays = tensor_of<double>({3}, {0.1, 0, 0.2});
  AdamW args{.weights = together.w,
             .gradients = together.g,
             .m = together.m,
             .v = together.v,
             .copy = together.copy,
             .config = {},
             .learning_rate = 0.01,
             .weight_decay = 0.1,
             .groups = {begins, rates, decays}};
  adamw_step(context, args);
  const std::int64_t ends[] = {27, 80, 100};
  for (std::int64_t g = 0, begin = 0; g < 3; begin = ends[g++]) {
    const auto part = [&](const Tensor& flat) { return flat.rows(begin, ends[g] - begin); };
    adamw_step(context, {.weights = part(apart.w),
                         .gradients = part(apart.g),
                         .m = part(apart.m),
                         .v = part(apart.v),
                         .copy = part(apart.copy),
                         .config = {},
                         .learning_rate = 0.01 * value(rates, g),
                         .weight_decay = value(decays, g)});
  }
  EXPECT_TRUE(same_bits(together.w, apart.w));
  EXPECT_TRUE(same_bits(together.copy, apart.copy));
}

TEST(AdamW, refuses_groups_that_do_not_follow_each_other) {
  Context context(1);
  const State state(DType::kF32, 100, DType::kBF16);
  const auto rates = tensor_of<double>({2}, {1, 1});
  AdamW args;
  args.weights = state.w, args.gradients = state.g, args.m = state.m, args.v = state.v;
  for (const std::int64_t second : {-1, 0, 100, 104}) {
    const auto begins = integers<std::int64_t>({0, second});
    args.groups = {begins, rates, rates};
    EXPECT_THROW(adamw_step(context, args), InternalError) << second;
  }
}

TEST(ClipFactor, is_pytorchs) {
  Context context(1);
  const auto g = tensor_of<double>({2}, {3, 4});
  OwnedTensor result(DType::kF64, {2});
  clip_factor(context, g, 2, result);
  EXPECT_EQ(value(result, 0), 5);
  EXPECT_DOUBLE_EQ(value(result, 1), 2 / (5 + 1e-6));
  clip_factor(context, g, 6, result);
  EXPECT_EQ(value(result, 1), 1);
  clip_factor(context, g, 0, result);
  EXPECT_EQ(value(result, 1), 1);
}

TEST(ClipFactor, of_0_leaves_everything_as_it_was) {
  Context context(1);
  const State state(DType::kF32, 64, DType::kBF16), before(DType::kF32, 64, DType::kBF16);
  set(state.g, 9, std::numeric_limits<double>::infinity());
  OwnedTensor result(DType::kF64, {2});
  clip_factor(context, state.g, 1, result);
  EXPECT_EQ(value(result, 1), 0);
  AdamW args{
      .weights = state.w, .gradients = state.g, .m = state.m, .v = state.v, .copy = state.copy, .config = {}};
  args.learning_rate = 1;
  args.factor = result.view().rows(1, 1);
  adamw_step(context, args);
  EXPECT_TRUE(same_bits(state.w, before.w));
  EXPECT_TRUE(same_bits(state.m, before.m));
}

}  // namespace
}  // namespace nystrom::testing
