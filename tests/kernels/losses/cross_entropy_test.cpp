#include "kernels/losses/cross_entropy.h"

#include "gradient_check.h"
#include "op_support.h"

namespace nystrom::testing {
namespace {

struct Trial {
  OwnedTensor logits, labels, row_losses, d_logits, sums;

  Trial(DType activation, OwnedTensor from, OwnedTensor to)
      : logits(std::move(from)),
        labels(std::move(to)),
        row_losses(logits.view().dtype, {logits.view().dim(0)}),
        d_logits(activation, logits.view().shape),
        sums(DType::kF64, {3}) {}

  void operator()(Context& context, double scale = 1) const {
    cross_entropy(context, {.logits = logits,
                            .labels = labels,
                            .scale = scale,
                            .row_losses = row_losses,
                            .d_logits = d_logits,
                            .sums = sums});
  }
};

OwnedTensor labels_of(std::int64_t rows, std::int64_t classes) {
  OwnedTensor labels(DType::kI32, {rows});
  Random random(3, Purpose::kTest, 0);
  for (auto& label : labels.view().span<std::int32_t>())
    label = static_cast<std::int32_t>(random.below(static_cast<std::uint64_t>(classes + 1))) -
            1;  // some are ignored
  return labels;
}

TEST(CrossEntropy, by_hand) {
  Context context(1);
  const Trial run(DType::kF64, tensor_of<double>({3, 2}, {0, std::log(3.0), 5, 5, 1, 0}),
                  integers<std::int32_t>({1, 1, -100}));
  run(context, 0.5);
  EXPECT_NEAR(value(run.sums, 0), std::log(4.0 / 3) + std::log(2.0), 1e-14);
  EXPECT_EQ(value(run.sums, 1),
            1);  // in the second row the first of two equals wins, and it is not the label
  EXPECT_EQ(value(run.sums, 2), 2);
  EXPECT_NEAR(value(run.d_logits, 0), 0.5 * 0.25, 1e-14);
  EXPECT_NEAR(value(run.d_logits, 1), 0.5 * (0.75 - 1), 1e-14);
  EXPECT_EQ(value(run.d_logits, 4), 0);
  EXPECT_EQ(value(run.row_losses, 2), 0);
}

TEST(CrossEntropy, gradient_is_that_of_the_loss) {
  Context context(2);
  const Trial run(DType::kF64, normal(DType::kF64, {6, 9}, 1, 2), labels_of(6, 9));
  run(context, 0.25);
  const Tensor analytic = run.d_logits;
  const OwnedTensor sums(DType::kF64, {3});
  const auto loss = [&] {
    set(sums, 0, 0);
    cross_entropy(context, {.logits = run.logits,
                            .labels = run.labels,
                            .row_losses = run.row_losses,
                            .d_logits = Tensor(),
                            .sums = sums});
    return 0.25 * value(sums, 0);
  };
  expect_gradient("logits", run.logits, analytic, loss);
}

TEST(CrossEntropy, fp32_and_bf16_agree_with_fp64) {
  Context context(2);
  for (const std::int64_t classes : {2, 17, 5003}) {
    const Trial reference(DType::kF64, normal(DType::kF64, {40, classes}, 1, 3), labels_of(40, classes));
    reference(context, 0.01);
    for (const DType type : {DType::kF32, DType::kBF16}) {
      const Trial run(type, normal(DType::kF32, {40, classes}, 1, 3), labels_of(40, classes));
      run(context, 0.01);
      EXPECT_NEAR(value(run.sums, 0), value(reference.sums, 0), 1e-6 * value(reference.sums, 0));
      EXPECT_EQ(value(run.sums, 1), value(reference.sums, 1));
      EXPECT_EQ(value(run.sums, 2), value(reference.sums, 2));
      EXPECT_LT(distance(run.d_logits, reference.d_logits), tolerance(type)) << name_of(type);
    }
  }
}

TEST(CrossEntropy, gives_the_same_bits_for_any_thread_count_and_in_place) {
  Context one(1);
  const Trial a(DType::kF32, normal(DType::kF32, {131, 999}, 1), labels_of(131, 999));
  a(one);
  for (const int threads : kThreadCounts) {
    Context several(threads);
    Trial b(DType::kF32, normal(DType::kF32, {131, 999}, 1), labels_of(131, 999));
    cross_entropy(several, {.logits = b.logits,
                            .labels = b.labels,
                            .row_losses = b.row_losses,
                            .d_logits = b.logits,
                            .sums = b.sums});
    EXPECT_TRUE(same_bits(a.d_logits, b.logits)) << threads;
    EXPECT_TRUE(same_bits(a.sums, b.sums)) << threads;
  }
}

TEST(CrossEntropy, stays_finite_for_large_logits_and_propagates_nan) {
  Context context(1);
  const Trial large(DType::kF32, tensor_of<float>({1, 3}, {1e30, -1e30, 0}), integers<std::int32_t>({0}));
  large(context);
  EXPECT_EQ(value(large.sums, 0), 0);
  const Trial bad(DType::kF32, tensor_of<float>({1, 3}, {0, NAN, 0}), integers<std::int32_t>({0}));
  bad(context);
  EXPECT_TRUE(std::isnan(value(bad.sums, 0)));
}

TEST(CrossEntropy, accumulates_its_sums_and_accepts_zero_rows) {
  Context context(2);
  const Trial run(DType::kF32, OwnedTensor(DType::kF32, {0, 4}), OwnedTensor(DType::kI32, {0}));
  set(run.sums, 0, 7);
  run(context);
  EXPECT_EQ(value(run.sums, 0), 7);
}

TEST(CrossEntropy, refuses_a_label_beyond_the_classes) {
  Context context(1);
  const Trial run(DType::kF32, OwnedTensor(DType::kF32, {1, 4}), integers<std::int32_t>({4}));
  EXPECT_THROW(run(context), InternalError);
}

}  // namespace
}  // namespace nystrom::testing
