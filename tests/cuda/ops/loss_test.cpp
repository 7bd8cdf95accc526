// Losses with their gradients: the CUDA twins.

#include <cmath>
#include <limits>

#include "kernels/losses/cross_entropy.h"
#include "kernels/losses/elementwise_loss.h"
#include "kernels/losses/label_weights.h"
#include "kernels/losses/span_cross_entropy.h"
#include "twins.h"

namespace nystrom::testing {
namespace {

struct Size {
  std::int64_t rows, classes, shift;
};
void PrintTo(const Size& s, std::ostream* to) {
  *to << s.rows << "x" << s.classes << "+" << s.shift;
}

TEST(CrossEntropyOnDeviceRows, may_be_wider_than_there_are_classes) {
  constexpr std::int64_t kRows = 6, kClasses = 1003, kWide = 1024;
  const OwnedTensor logits = normal(DType::kF32, {kRows, kClasses}, 1, 4);
  const OwnedTensor wide(DType::kF32, {kRows, kWide});
  for (std::int64_t row = 0; row < kRows; ++row)
    for (std::int64_t c = 0; c < kWide; ++c)
      set(wide, row * kWide + c, c < kClasses ? value(logits, row * kClasses + c) : 1e30);
  OnDevice device;
  const DeviceTensor labels = device.copy(std::vector<std::int32_t>{0, 1002, -100, 500, 7, 1001});
  std::vector<OwnedTensor> losses, gradients;
  for (const Tensor& x : {logits.view(), wide.view()}) {
    const DeviceTensor there = device.copy(x), d = device.fresh(DType::kBF16, x.shape),
                       row_losses = device.fresh(DType::kF32, {kRows}),
                       sums = device.copy(tensor_of<double>({3}, {0, 0, 0}));
    cross_entropy(device.context(), {.logits = there,
                                     .classes = kClasses,
                                     .labels = labels,
                                     .row_losses = row_losses,
                                     .d_logits = d,
                                     .sums = sums});
    losses.push_back(device.fetch(sums));
    gradients.push_back(device.fetch(d));
  }
  EXPECT_LT(distance(losses[1], losses[0]), 1e-6);
  for (std::int64_t row = 0; row < kRows; ++row)
    for (std::int64_t c = 0; c < kClasses; ++c)
      EXPECT_NEAR(value(gradients[1], row * kWide + c), value(gradients[0], row * kClasses + c), 1e-6);
}

class CrossEntropyOnDevice : public ::testing::TestWithParam<Size> {};

TEST_P(CrossEntropyOnDevice, loss_gradient_and_counts_are_the_hosts) {
  const auto [rows, classes, shift] = GetParam();
  std::vector<std::int32_t> labels;
  for (std::int64_t row = 0; row < rows; ++row)
    labels.push_back(row % 5 == 3 ? -100 : static_cast<std::int32_t>(row * 7919 % classes));
  for (const DType type : kDeviceTypes) {
    const OwnedTensor logits = normal(DType::kF32, {rows, classes}, 1, 4);
    for (std::int64_t row = 0; row < rows; row += 2) {  // half of them right, some by the first of two equals
      const std::int64_t label = std::max<std::int64_t>(labels[static_cast<std::size_t>(row)], 0);
      set(logits, row * classes + label, 30);
      if (row % 4 == 0) set(logits, row * classes + (label + classes / 2) % classes, 30);
    }
    Twins t(shift);
    t.input("logits", logits);
    t.updated("joined", logits);
    t.integers("labels", labels);
    t.output("d", type, {rows, classes});
    t.output("row_losses", DType::kF32, {rows});
    t.updated("sums", tensor_of<double>({3}, {0.5, 2, 3}));
    t.expect_alike(type == DType::kBF16 ? 5e-4 : 3e-6, [&](Context& context, const Tensors& x) {
      CrossEntropy args{.logits = x["logits"],
                        .labels = x["labels"],
                        .scale = 0.25,
                        .row_losses = x["row_losses"],
                        .d_logits = x["d"],
                        .sums = x["sums"]};
      cross_entropy(context, args);
      args.d_logits = {};
      cross_entropy(context, args);  // without a gradient
      args.logits = x["joined"];
      if (type == DType::kF32) args.d_logits = x["joined"];
      cross_entropy(context, args);
    });
    EXPECT_EQ(value(t.there("sums"), 1), value(t.here("sums"), 1));
    EXPECT_EQ(value(t.there("sums"), 2), value(t.here("sums"), 2));
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, CrossEntropyOnDevice,
                         ::testing::Values(Size{1, 1, 0}, Size{9, 2, 0}, Size{40, 5, 1}, Size{11, 64, 0},
                                           Size{8, 513, 0}, Size{6, 5000, 0}, Size{5, 4999, 1}));

TEST(LabelWeightsOnDevice, gradients_are_weighed_as_on_the_host) {
  constexpr std::int64_t kRows = 131, kLabels = 3;
  std::vector<std::int32_t> labels;
  for (std::int64_t row = 0; row < kRows; ++row) labels.push_back(static_cast<std::int32_t>(row % 4) - 1);
  for (const DType type : kDeviceTypes) {
    Twins t;
    t.integers("labels", labels);
    t.input("weights", tensor_of<float>({kLabels}, {0.5F, 3, 1.25F}));
    t.updated("d", normal(type, {kRows, kLabels}, 1));
    t.expect_alike(twin_tolerance(type), [&](Context& context, const Tensors& x) {
      weigh_by_label(context, {.labels = x["labels"], .weights = x["weights"], .d = x["d"]});
    });
  }
}

TEST(CrossEntropyOnDeviceRows, infinities_and_nan_propagate) {
  OnDevice device;
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  std::vector<float> logits(24, 0.0F);
  logits[2] = -kInfinity;  // of the first row: a class that cannot be
  logits[8 + 1] = std::nanf("");
  const DeviceTensor x = device.copy(logits), losses = device.fresh(DType::kF32, {3});
  const DeviceTensor labels =
                         device.copy(std::vector<std::int32_t>{0, 0, 8}),  // the last: beyond the classes
      sums = device.copy(std::vector<double>(3, 0.0));
  cross_entropy(device.context(), {.logits = x.view().reshaped({3, 8}),
                                   .labels = labels,
                                   .row_losses = losses,
                                   .d_logits = {},
                                   .sums = sums});
  const OwnedTensor there = device.fetch(losses);
  EXPECT_NEAR(value(there, 0), std::log(7.0), 1e-6);
  EXPECT_TRUE(std::isnan(value(there, 1)));
  EXPECT_TRUE(std::isnan(value(there, 2)));
}

TEST(ValueLossOnDevice, is_the_hosts) {
  for (const std::int64_t rows : {1, 7, 300})
    for (const auto kind : {ValueLossKind::kSquared, ValueLossKind::kSigmoid})
      for (const DType type : kDeviceTypes) {
        const OwnedTensor targets(DType::kF32, {rows * 3});
        for (std::int64_t i = 0; i < rows * 3; ++i)
          set(targets, i, i % 5 == 1 ? std::nan("") : static_cast<double>(i % 2));
        Twins t;
        t.input("x", normal(DType::kF32, {rows, 3}, 1, 3));
        t.input("targets", targets);
        t.output("d", type, {rows, 3});
        t.updated("sums", tensor_of<double>({3}, {0.5, 2, 3}));
        t.expect_alike(twin_tolerance(type), [&](Context& context, const Tensors& x) {
          ValueLoss args{.kind = kind,
                         .predictions = x["x"],
                         .targets = x["targets"],
                         .scale = 0.25,
                         .d = x["d"],
                         .sums = x["sums"]};
          value_loss(context, args);
          args.d = {};
          value_loss(context, args);
        });
      }
}

TEST(SpanCrossEntropyOnDevice, is_the_hosts) {
  // Sequences of 1 token, 3 tokens (ignored), 300 tokens, 5 tokens and 2 rows of padding.
  const std::vector<std::int32_t> offsets{0, 1, 4, 304, 311}, lengths{1, 3, 300, 5};
  const std::vector<std::int32_t> starts{0, -1, 17, 2}, ends{0, 1, 290, 4};
  for (const DType type : kDeviceTypes) {
    const OwnedTensor logits = normal(DType::kF32, {311, 2}, 1, 3);
    set(logits, 2 * (4 + 17), 20);  // right by the first of two equals
    set(logits, 2 * (4 + 30), 20);
    set(logits, 2 * (4 + 290) + 1, 20);
    Twins t;
    t.integers("offsets", offsets);
    t.integers("lengths", lengths);
    t.integers("starts", starts);
    t.integers("ends", ends);
    t.input("logits", logits);
    t.updated("joined", logits);
    t.output("d", type, {311, 2});
    t.updated("sums", tensor_of<double>({3}, {0.5, 2, 3}));
    t.expect_alike(twin_tolerance(type), [&](Context& context, const Tensors& x) {
      SpanCrossEntropy args{.logits = x["logits"],
                            .sequences = {x["offsets"], x["lengths"], 4, 311, 300},
                            .starts = x["starts"],
                            .ends = x["ends"],
                            .scale = 0.25,
                            .d_logits = x["d"],
                            .sums = x["sums"]};
      span_cross_entropy(context, args);
      args.logits = x["joined"];
      args.d_logits = type == DType::kF32 ? x["joined"] : Tensor{};
      span_cross_entropy(context, args);
    });
    EXPECT_EQ(value(t.there("sums"), 1), value(t.here("sums"), 1));
  }
}

}  // namespace
}  // namespace nystrom::testing
