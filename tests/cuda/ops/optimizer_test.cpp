// LAMB and StableAdamW, Muon, averaged weights: the CUDA twins.

#include <algorithm>
#include <cmath>

#include "kernels/optimizer/average.h"
#include "kernels/optimizer/muon.h"
#include "kernels/optimizer/tensorwise_adam.h"
#include "twins.h"

namespace nystrom::testing {
namespace {

OwnedTensor squares(std::int64_t count, std::uint64_t seed) {
  OwnedTensor x = normal(DType::kF32, {count}, seed, 0.01);  // so small that gradients exceed them
  for (std::int64_t i = 0; i < count; ++i) set(x, i, value(x, i) * value(x, i));
  return x;
}

class TensorwiseOnDevice : public ::testing::TestWithParam<TensorScale> {
 protected:
  static constexpr std::int64_t kCount = 5003;

  /// Parts of any size, of three tensors; between two of them there is something else.
  void add_parts(Twins& t) const {
    const std::vector<std::int64_t> begins{0, 1, 1024, 2051, 2100}, ends{1, 1024, 2048, 2100, kCount};
    t.integers("begins", begins);
    t.integers("ends", ends);
    t.integers("tensors", std::vector<std::int32_t>{0, 1, 1, 2, 2});
    t.integers("firsts", std::vector<std::int64_t>{0, 1, 3, 5});
    t.integers("adapted", std::vector<std::int32_t>{0, 1, 1});
    t.input("rates", tensor_of<double>({3}, {1, 0.5, 1}));
    t.input("decays", tensor_of<double>({3}, {0, 0.1, 0.01}));
  }
  static void step(Context& context, const Tensors& x, double clip) {
    const TensorwiseAdam args{.scale = GetParam(),
                              .weights = x["w"],
                              .gradients = x["g"],
                              .m = x["m"],
                              .v = x["v"],
                              .copy = x["copy"],
                              .config = {0.9, 0.99, 1e-4},
                              .learning_rate = 0.01,
                              .gradient_scale = clip,
                              .step = 3,
                              .factor = x["factor"],
                              .begins = x["begins"],
                              .ends = x["ends"],
                              .tensors = x["tensors"],
                              .rates = x["rates"],
                              .decays = x["decays"]};
    tensorwise_moments(context, args, x["sums"]);
    tensorwise_scales(context, {GetParam(), x["sums"], x["firsts"], x["adapted"], x["scales"]});
    tensorwise_update(context, args, x["scales"]);
  }
};

TEST_P(TensorwiseOnDevice, a_step_is_the_hosts) {
  for (const std::int64_t shift : {0, 1}) {
    Twins t(shift);
    t.updated("w", normal(DType::kF32, {kCount}, 1));
    t.input("g", normal(DType::kF32, {kCount}, 2));
    t.updated("m", normal(DType::kF32, {kCount}, 3, 0.1));
    t.updated("v", squares(kCount, 4));
    t.updated("copy", normal(DType::kBF16, {kCount}, 5));
    t.input("factor", tensor_of<double>({1}, {0.7}));
    t.output("sums", DType::kF64, {5, 2});
    t.output("scales", DType::kF64, {3});
    add_parts(t);
    t.expect_alike(5e-4, [](Context& context, const Tensors& x) { step(context, x, 0.5); });
    for (const char* name : {"w", "m", "v", "sums", "scales"})
      EXPECT_LT(distance(t.there(name), t.here(name)), 3e-6) << name;
    EXPECT_GT(std::abs(value(t.there("scales"), 1) - 1), 1e-3) << "a scale of 1 tests little";
  }
}

TEST_P(TensorwiseOnDevice, a_factor_of_0_leaves_everything_as_it_was) {
  Twins t;
  for (const char* name : {"w", "g", "m", "copy"}) t.updated(name, normal(DType::kF32, {kCount}, 1));
  t.updated("v", squares(kCount, 4));
  t.input("factor", tensor_of<double>({1}, {0}));
  t.output("sums", DType::kF64, {5, 2});
  t.output("scales", DType::kF64, {3});
  add_parts(t);
  t.expect_alike(1e-12, [](Context& context, const Tensors& x) { step(context, x, 1); });
  EXPECT_TRUE(same_bits(t.there("w"), normal(DType::kF32, {kCount}, 1)));
  EXPECT_TRUE(same_bits(t.there("v"), squares(kCount, 4)));
}

INSTANTIATE_TEST_SUITE_P(, TensorwiseOnDevice,
                         ::testing::Values(TensorScale::kUpdateRms, TensorScale::kTrustRatio),
                         [](const auto& one) {
                           return one.param == TensorScale::kUpdateRms ? "UpdateRms" : "TrustRatio";
                         });

TEST(MuonOnDevice, a_step_is_the_hosts) {
  for (const Shape shape : {Shape{24, 24}, Shape{9, 40}, Shape{70, 33}, Shape{1, 5}})
    for (const bool nesterov : {true, false}) {
      Twins t(nesterov ? 0 : 1);
      t.updated("w", normal(DType::kF32, shape, 1));
      t.input("g", normal(DType::kF32, shape, 2));
      t.updated("b", normal(DType::kF32, shape, 3, 0.1));
      t.output("copy", DType::kBF16, shape);
      t.input("factor", tensor_of<double>({1}, {0.7}));
      t.scratch("workspace", DType::kF32, {muon_workspace(shape[0], shape[1])});
      t.expect_alike(5e-4, [&](Context& context, const Tensors& x) {
        muon_step(context, {.weights = x["w"],
                            .gradients = x["g"],
                            .buffer = x["b"],
                            .copy = x["copy"],
                            .momentum = 0.9,
                            .nesterov = nesterov,
                            .learning_rate = 0.1,
                            .scale = 2,
                            .weight_decay = 0.1,
                            .gradient_scale = 0.5,
                            .factor = x["factor"],
                            .workspace = x["workspace"]});
      });
      EXPECT_LT(distance(t.there("w"), t.here("w")), 1e-5) << shape.text();
      EXPECT_LT(distance(t.there("b"), t.here("b")), 3e-7) << shape.text();
    }
}

TEST(MuonOnDevice, nan_gradients_change_nothing) {
  OnDevice device;
  const OwnedTensor before = normal(DType::kF32, {8, 12}, 1), bad = normal(DType::kF32, {8, 12}, 2);
  set(bad, 33, std::nan(""));
  const DeviceTensor w = device.copy(before), b = device.copy(before), g = device.copy(bad);
  const DeviceTensor factor = device.copy(tensor_of<double>({1}, {0}));
  const DeviceTensor workspace = device.fresh(DType::kF32, {muon_workspace(8, 12)});
  Muon args{.weights = w, .gradients = g, .buffer = b, .copy = {}};
  args.learning_rate = 1;
  args.factor = factor;
  args.workspace = workspace;
  muon_step(device.context(), args);
  for (const DeviceTensor* x : {&w, &b}) EXPECT_TRUE(same_bits(device.fetch(*x), before));
}

TEST(AverageOnDevice, is_the_hosts) {
  for (const std::int64_t count : {1, 7, 64, 5003}) {
    Twins t(count % 2);
    t.input("values", normal(DType::kF32, {count}, 1));
    t.updated("average", normal(DType::kF32, {count}, 2));
    t.updated("a", normal(DType::kF32, {count}, 3));
    t.updated("b", normal(DType::kF32, {count}, 4));
    t.expect_alike(3e-7, [](Context& context, const Tensors& x) {
      average_step(context, x["values"], 0.9, x["average"]);
      swap_values(context, x["a"], x["b"]);
    });
    EXPECT_TRUE(same_bits(t.there("a"), normal(DType::kF32, {count}, 4)));
  }
}

}  // namespace
}  // namespace nystrom::testing
