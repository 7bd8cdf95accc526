// Clipping and AdamW: the CUDA twins, and a step whose factor the host never sees.

#include <cmath>

#include "kernels/optimizer/adamw.h"
#include "kernels/optimizer/clip_factor.h"
#include "twins.h"

namespace nystrom::testing {
namespace {

class AdamWOnDevice : public ::testing::TestWithParam<std::int64_t> {
 protected:
  const std::int64_t count_ = GetParam();

  [[nodiscard]] Twins twins(std::int64_t shift = 0) const {
    Twins t(shift);
    t.updated("w", normal(DType::kF32, {count_}, 1));
    t.input("g", normal(DType::kF32, {count_}, 2, 3));
    t.updated("m", normal(DType::kF32, {count_}, 3, 0.1));
    OwnedTensor v = normal(DType::kF32, {count_}, 4, 0.1);
    for (std::int64_t i = 0; i < count_; ++i) set(v, i, std::abs(value(v, i)));
    t.updated("v", v);
    t.output("copy", DType::kBF16, {count_});
    t.output("norm", DType::kF64, {2});
    return t;
  }
  static AdamW step(const Tensors& x) {
    return {.weights = x["w"],
            .gradients = x["g"],
            .m = x["m"],
            .v = x["v"],
            .copy = x["copy"],
            .config = {},
            .learning_rate = 1e-3,
            .weight_decay = 0.1,
            .gradient_scale = 0.5,
            .step = 3};
  }
};

TEST_P(AdamWOnDevice, a_step_is_the_hosts) {
  Twins t = twins();
  t.expect_alike(5e-4, [](Context& context, const Tensors& x) {
    clip_factor(context, x["g"], 0, x["norm"]);
    adamw_step(context, step(x));
  });
  for (const char* name : {"w", "m", "v", "norm"})
    EXPECT_LT(distance(t.there(name), t.here(name)), 3e-7) << name;
}

TEST_P(AdamWOnDevice, a_clipped_step_of_groups_is_the_hosts) {
  Twins t = twins(1);
  std::vector<std::int64_t> begins{0};
  for (const std::int64_t begin : {3, 8, 10, 11, 24, 1001, 4096})
    if (begin < count_) begins.push_back(begin);
  const auto groups = static_cast<std::int64_t>(begins.size());
  const OwnedTensor rates(DType::kF64, {groups}), decays(DType::kF64, {groups});
  for (std::int64_t g = 0; g < groups; ++g) {
    set(rates, g, std::pow(0.5, static_cast<double>(g)));
    set(decays, g, g % 2 == 0 ? 0.1 : 0);
  }
  t.integers("begins", begins);
  t.input("rates", rates);
  t.input("decays", decays);
  t.expect_alike(5e-4, [](Context& context, const Tensors& x) {
    clip_factor(context, x["g"], 1.0, x["norm"]);
    AdamW args = step(x);
    args.factor = x["norm"].rows(1, 1);
    args.groups = {x["begins"], x["rates"], x["decays"]};
    adamw_step(context, args);
  });
  for (const char* name : {"w", "m", "v", "norm"})
    EXPECT_LT(distance(t.there(name), t.here(name)), 3e-7) << name;
  EXPECT_LT(value(t.there("norm"), 1), 1);
}

INSTANTIATE_TEST_SUITE_P(Counts, AdamWOnDevice, ::testing::Values(1, 7, 64, 2048, 5000, 70001));

TEST(ClipOnDevice, nan_gradients_change_nothing) {
  OnDevice device;
  const OwnedTensor before = normal(DType::kF32, {40}, 1), bad = normal(DType::kF32, {40}, 2);
  set(bad, 33, std::nan(""));
  const DeviceTensor w = device.copy(before), m = device.copy(before), v = device.copy(before),
                     g = device.copy(bad), norm = device.fresh(DType::kF64, {2});
  clip_factor(device.context(), g, 1, norm);
  AdamW args;
  args.weights = w, args.m = m, args.v = v, args.gradients = g, args.learning_rate = 1;
  args.factor = norm.view().rows(1, 1);
  adamw_step(device.context(), args);
  EXPECT_TRUE(std::isnan(value(device.fetch(norm), 0)));
  EXPECT_EQ(value(device.fetch(norm), 1), 0);
  for (const DeviceTensor* x : {&w, &m, &v}) EXPECT_TRUE(same_bits(device.fetch(*x), before));
}

TEST(ClipOnDevice, no_gradients_have_norm_0) {
  OnDevice device;
  const DeviceTensor norm = device.fresh(DType::kF64, {2});
  clip_factor(device.context(), Tensor(nullptr, DType::kF32, {0}), 1, norm);
  EXPECT_EQ(value(device.fetch(norm), 0), 0);
  EXPECT_EQ(value(device.fetch(norm), 1), 1);
}

}  // namespace
}  // namespace nystrom::testing
