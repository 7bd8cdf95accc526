#include "kernels/optimizer/tensorwise_adam.h"

#include <array>

#include "op_support.h"

namespace nystrom::testing {
namespace {

constexpr AdamWConfig kConfig{0.9, 0.99, 1e-3};
constexpr double kRate = 0.02;

/// Three tensors in five parts, with elements between the second and the third that belong to none.
struct State {
  OwnedTensor w, g, m, v, copy, sums, scales;
  OwnedTensor begins = integers<std::int64_t>({0, 64, 100, 128, 240});
  OwnedTensor ends = integers<std::int64_t>({64, 100, 128, 230, 300});
  OwnedTensor tensors = integers<std::int32_t>({0, 0, 1, 1, 2}), adapted = integers<std::int32_t>({1, 1, 0});
  OwnedTensor firsts = integers<std::int64_t>({0, 2, 4, 5});
  OwnedTensor rates = tensor_of<double>({3}, {1, 0.5, 1}), decays = tensor_of<double>({3}, {0.1, 0, 0.3});

  explicit State(DType type)
      : w(normal(type, {300}, 1)),
        g(normal(type, {300}, 2, 0.1)),
        m(type, {300}),
        v(type, {300}),
        copy(DType::kBF16, {300}),
        sums(DType::kF64, {5, 2}),
        scales(DType::kF64, {3}) {}

  [[nodiscard]] TensorwiseAdam args(TensorScale scale, std::int64_t step) const {
    return {.scale = scale,
            .weights = w,
            .gradients = g,
            .m = m,
            .v = v,
            .copy = copy,
            .config = kConfig,
            .learning_rate = kRate,
            .gradient_scale = 0.5,
            .step = step,
            .begins = begins,
            .ends = ends,
            .tensors = tensors,
            .rates = rates,
            .decays = decays};
  }
  void step(Context& context, TensorScale scale, std::int64_t step) const {
    tensorwise_moments(context, args(scale, step), sums);
    tensorwise_scales(context, {scale, sums, firsts, adapted, scales});
    tensorwise_update(context, args(scale, step), scales);
  }
  void change_gradients(std::int64_t step) const {
    for (std::int64_t i = 0; i < 300; ++i)
      set(g, i, value(g, i) * (i % 3 == 0 ? 3.0 : 0.4) * (step % 2 == 0 ? 1 : -1));
  }
};

/// The formulas of the header, on a tensor at a time.
struct Reference {
  std::vector<double> w, m = std::vector<double>(300), v = std::vector<double>(300);
  double scale = 0;  // of the first tensor

  void step(const State& state, TensorScale kind, std::int64_t step) {
    struct Range {
      std::int64_t begin, end;
      double rate, decay;
      bool adapted;
    };
    for (const Range& tensor :
         {Range{0, 100, 1, 0.1, true}, {100, 230, 0.5, 0, true}, {240, 300, 1, 0.3, false}}) {
      const auto t = static_cast<double>(step);
      const double c1 = 1 - std::pow(kConfig.beta1, t), c2 = 1 - std::pow(kConfig.beta2, t);
      double ratios = 0, weights = 0, updates = 0;
      std::vector<double> u;
      for (std::int64_t at = tensor.begin; at < tensor.end; ++at) {
        const auto i = static_cast<std::size_t>(at);
        const double gradient = 0.5 * value(state.g, at);
        m[i] = kConfig.beta1 * m[i] + (1 - kConfig.beta1) * gradient;
        v[i] = kConfig.beta2 * v[i] + (1 - kConfig.beta2) * gradient * gradient;
        const double hat = v[i] / c2;
        u.push_back((m[i] / c1) / (std::sqrt(hat) + kConfig.epsilon));
        ratios += gradient * gradient / std::max(hat, kConfig.epsilon * kConfig.epsilon);
        weights += w[i] * w[i];
        updates += std::pow(u.back() + tensor.decay * w[i], 2);
      }
      double factor = 1;
      if (tensor.adapted)
        factor = kind == TensorScale::kTrustRatio
                     ? std::sqrt(weights / updates)
                     : 1 / std::max(1.0, std::sqrt(ratios / static_cast<double>(tensor.end - tensor.begin)));
      if (tensor.begin == 0) scale = factor;
      for (std::int64_t at = tensor.begin; at < tensor.end; ++at) {
        double& weight = w[static_cast<std::size_t>(at)];
        weight -= kRate * tensor.rate * factor *
                  (u[static_cast<std::size_t>(at - tensor.begin)] + tensor.decay * weight);
      }
    }
  }
};

class TensorwiseAdamTest : public ::testing::TestWithParam<TensorScale> {};

TEST_P(TensorwiseAdamTest, follows_the_formula) {
  Context context(2);
  const State state(DType::kF64);
  Reference reference;
  for (std::int64_t i = 0; i < 300; ++i) reference.w.push_back(value(state.w, i));
  bool scaled = false;
  for (std::int64_t step = 1; step <= 4; ++step) {
    state.step(context, GetParam(), step);
    reference.step(state, GetParam(), step);
    EXPECT_NEAR(value(state.scales, 0), reference.scale, 1e-12);
    EXPECT_EQ(value(state.scales, 2), 1) << "a tensor that is not adapted";
    scaled = scaled || std::abs(reference.scale - 1) > 0.01;
    for (std::int64_t i = 0; i < 300; ++i)
      ASSERT_NEAR(value(state.w, i), reference.w[static_cast<std::size_t>(i)], 1e-12) << i;
    state.change_gradients(step);
  }
  EXPECT_TRUE(scaled) << "no step had another scale than 1";
}

TEST_P(TensorwiseAdamTest, fp32_has_the_same_bits_for_any_thread_count_and_is_near_fp64) {
  Context one(1), three(3);
  const State a(DType::kF32), b(DType::kF32), exact(DType::kF64);
  for (std::int64_t step = 1; step <= 3; ++step) {
    a.step(one, GetParam(), step);
    b.step(three, GetParam(), step);
    exact.step(one, GetParam(), step);
  }
  EXPECT_TRUE(same_bits(a.w, b.w));
  EXPECT_TRUE(same_bits(a.copy, b.copy));
  EXPECT_LT(distance(a.w, exact.w), 1e-6);
  for (std::int64_t i = 0; i < 230; ++i)
    ASSERT_EQ(a.copy.view().data<BF16>()[i].bits, BF16(a.w.view().data<float>()[i]).bits);
}

TEST_P(TensorwiseAdamTest, a_factor_of_0_leaves_everything_as_it_was) {
  Context context(1);
  const State state(DType::kF32), before(DType::kF32);
  const auto zero = tensor_of<double>({1}, {0});
  TensorwiseAdam args = state.args(GetParam(), 1);
  args.factor = zero;
  tensorwise_moments(context, args, state.sums);
  tensorwise_scales(context, {GetParam(), state.sums, state.firsts, state.adapted, state.scales});
  tensorwise_update(context, args, state.scales);
  EXPECT_TRUE(same_bits(state.w, before.w));
  EXPECT_TRUE(same_bits(state.m, before.m));
  EXPECT_EQ(value(state.scales, 0), 1);
}

TEST_P(TensorwiseAdamTest, parts_that_overlap_are_refused) {
  Context context(1);
  const State state(DType::kF32);
  const auto begins = integers<std::int64_t>({0, 60, 100, 128, 240});
  TensorwiseAdam args = state.args(GetParam(), 1);
  args.begins = begins;
  EXPECT_THROW(tensorwise_moments(context, args, state.sums), InternalError);
}

INSTANTIATE_TEST_SUITE_P(, TensorwiseAdamTest,
                         ::testing::Values(TensorScale::kUpdateRms, TensorScale::kTrustRatio),
                         [](const auto& one) {
                           return one.param == TensorScale::kUpdateRms ? "UpdateRms" : "TrustRatio";
                         });

TEST(TensorwiseScales, a_ratio_without_a_norm_is_1) {
  Context context(1);
  const auto sums = tensor_of<double>({3, 2}, {0, 4, 4, 0, 9, 4});
  const auto firsts = integers<std::int64_t>({0, 1, 2, 3});
  const auto adapted = integers<std::int32_t>({1, 1, 1});
  const OwnedTensor scales(DType::kF64, {3});
  tensorwise_scales(context, {TensorScale::kTrustRatio, sums, firsts, adapted, scales});
  EXPECT_EQ(value(scales, 0), 1);
  EXPECT_EQ(value(scales, 1), 1);
  EXPECT_EQ(value(scales, 2), 1.5);
}

}  // namespace
}  // namespace nystrom::testing
