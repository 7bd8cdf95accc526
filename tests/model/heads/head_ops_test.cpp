// The heads' own ops: values by hand, gradients by central differences.

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "gradient_check.h"
#include "kernels/core/philox.h"
#include "kernels/losses/elementwise_loss.h"
#include "kernels/losses/label_weights.h"
#include "kernels/losses/span_cross_entropy.h"
#include "kernels/relu.h"
#include "kernels/tensor/buffer.h"

namespace nystrom {
namespace {

OwnedTensor normals(Shape shape, std::uint64_t sample) {
  OwnedTensor tensor(DType::kF64, shape);
  Random random(3, Purpose::kTest, sample);
  for (double& v : tensor.view().span<double>()) v = random.normal();
  return tensor;
}

template <class T>
OwnedTensor holding(const std::vector<T>& values) {
  OwnedTensor tensor(dtype_of<T>(), {static_cast<std::int64_t>(values.size())});
  std::ranges::copy(values, tensor.view().template span<T>().begin());
  return tensor;
}

TEST(LabelWeights, multiply_the_rows_of_their_labels_and_leave_rows_without_one) {
  Context context;
  OwnedTensor d(DType::kF64, {3, 2});
  std::ranges::copy(std::vector<double>{1, 2, 3, 4, 5, 6}, d.view().span<double>().begin());
  weigh_by_label(context,
                 {.labels = holding<std::int32_t>({1, -1, 0}), .weights = holding<float>({0.5F, 4}), .d = d});
  EXPECT_EQ(std::vector<double>(d.view().span<double>().begin(), d.view().span<double>().end()),
            (std::vector<double>{4, 8, 3, 4, 2.5, 3}));
}

TEST(Relu, keeps_what_is_above_zero_and_its_gradient) {
  Context context;
  const OwnedTensor x = holding<double>({-2, 0, 3}), d_y = holding<double>({5, 7, 11});
  const OwnedTensor y(DType::kF64, {3}), d_x(DType::kF64, {3});
  relu_forward(context, x, y);
  relu_backward(context, y, d_y, d_x);
  EXPECT_EQ(std::vector<double>(y.view().span<double>().begin(), y.view().span<double>().end()),
            (std::vector<double>{0, 0, 3}));
  EXPECT_EQ(std::vector<double>(d_x.view().span<double>().begin(), d_x.view().span<double>().end()),
            (std::vector<double>{0, 0, 11}));
}

class ValueLossOf : public ::testing::TestWithParam<ValueLossKind> {
 protected:
  double loss(const Tensor& predictions, const Tensor& d) {
    OwnedTensor sums(DType::kF64, {3});
    value_loss(context_, {.kind = GetParam(),
                          .predictions = predictions,
                          .targets = targets_,
                          .scale = 0.7,
                          .d = d,
                          .sums = sums});
    counted_ = sums.view().span<double>()[2];
    return sums.view().span<double>()[0];
  }
  Context context_;
  OwnedTensor targets_ = holding<float>({1, 0, 1, std::numeric_limits<float>::quiet_NaN(), 0.25F, 0});
  double counted_ = 0;
};

TEST_P(ValueLossOf, gradient_is_the_slope_and_what_has_no_target_is_left_out) {
  const OwnedTensor predictions = normals({3, 2}, 1), d(DType::kF64, {3, 2});
  (void)loss(predictions, d);
  EXPECT_EQ(counted_, 5);
  EXPECT_EQ(d.view().span<double>()[3], 0);
  testing::expect_gradient("predictions", predictions, d, [&] { return 0.7 * loss(predictions, {}); });
}
INSTANTIATE_TEST_SUITE_P(Kinds, ValueLossOf,
                         ::testing::Values(ValueLossKind::kSquared, ValueLossKind::kSigmoid));

TEST(ValueLoss, a_sigmoid_of_large_logits_neither_overflows_nor_vanishes) {
  Context context;
  const OwnedTensor predictions = holding<float>({1000, -1000, 1000, -1000}),
                    targets = holding<float>({1, 0, 0, 1});
  const OwnedTensor d(DType::kF32, {4}), sums(DType::kF64, {3});
  value_loss(context, {.kind = ValueLossKind::kSigmoid,
                       .predictions = predictions.view().reshaped({2, 2}),
                       .targets = targets,
                       .scale = 1,
                       .d = d.view().reshaped({2, 2}),
                       .sums = sums});
  EXPECT_DOUBLE_EQ(sums.view().span<double>()[0], 2000);
  EXPECT_DOUBLE_EQ(sums.view().span<double>()[1], 2);
  EXPECT_EQ(d.view().span<float>()[2], 1);
}

struct Spans {
  OwnedTensor offsets = holding<std::int32_t>({0, 4, 9, 12});
  OwnedTensor lengths = holding<std::int32_t>({4, 3, 3});  // two rows of padding in the second
  OwnedTensor starts = holding<std::int32_t>({1, 0, -1});
  OwnedTensor ends = holding<std::int32_t>({3, 0, 1});
  OwnedTensor logits = normals({12, 2}, 2);
  OwnedTensor sums{DType::kF64, {3}};
  Context context;

  double loss(const Tensor& d) {
    sums.view().span<double>()[0] = 0;
    span_cross_entropy(context, {.logits = logits,
                                 .sequences = {offsets, lengths, 3, 12, 5},
                                 .starts = starts,
                                 .ends = ends,
                                 .scale = 0.3,
                                 .d_logits = d,
                                 .sums = sums});
    return sums.view().span<double>()[0];
  }
};

TEST(SpanCrossEntropy, gradient_is_the_slope_and_padding_has_none) {
  Spans spans;
  const OwnedTensor d(DType::kF64, {12, 2});
  (void)spans.loss(d);
  testing::expect_gradient("logits", spans.logits, d, [&] { return 0.3 * spans.loss({}); });
  const auto gradient = d.view().span<double>();
  for (const std::size_t row : {7U, 8U, 9U, 10U, 11U}) EXPECT_EQ(gradient[2 * row], 0) << row;
}

TEST(SpanCrossEntropy, equal_logits_lose_the_log_of_the_tokens_and_count_answered_sequences) {
  Spans spans;
  std::ranges::fill(spans.logits.view().span<double>(), 2.0);
  EXPECT_NEAR(spans.loss({}), std::log(4.0) + std::log(3.0), 1e-12);
  EXPECT_EQ(spans.sums.view().span<double>()[1], 1);  // the second's answer is the first of the ties
  EXPECT_EQ(spans.sums.view().span<double>()[2], 2);
}

TEST(SpanCrossEntropy, an_answer_in_the_padding_is_refused) {
  Spans spans;
  spans.ends.view().span<std::int32_t>()[1] = 3;
  EXPECT_THROW((void)spans.loss({}), InternalError);
}

}  // namespace
}  // namespace nystrom
