// What attention promises besides its formula.

#include <gtest/gtest.h>

#include <algorithm>

#include "attention/attention_case.h"
#include "attention/naive_attention.h"
#include "hwy/targets.h"
#include "op_support.h"

namespace nystrom::testing {
namespace {

/// Copies `rows` rows of qkv and d_out between cases of one width.
template <class T>
void copy_rows(const AttentionCase<T>& from, std::int64_t from_begin, const AttentionCase<T>& to,
               std::int64_t to_begin, std::int64_t rows) {
  std::ranges::copy(from.qkv().rows(from_begin, rows).template span<T>(),
                    to.qkv().rows(to_begin, rows).template span<T>().begin());
  std::ranges::copy(from.d_out().rows(from_begin, rows).template span<T>(),
                    to.d_out().rows(to_begin, rows).template span<T>().begin());
}

const CaseOptions kRagged{
    .config = {.heads = 3, .landmarks = 16, .taps = 9}, .rows = {100, 16, 17, 3, 211}, .head_width = 16};

/// The op against the plain transcription of its definition, both in double precision.
void expect_as_defined(const CaseOptions& options) {
  AttentionCase<double> op(options), plain(options);
  op.forward();
  op.backward();
  naive::forward<double>(plain.arguments());
  naive::backward<double>(plain.arguments());
  EXPECT_LT(distance(op.out(), plain.out()), 1e-11);
  EXPECT_LT(distance(op.d_qkv(), plain.d_qkv()), 1e-9);
  if (options.config.taps > 0) {
    EXPECT_LT(distance(op.d_conv_weight(), plain.d_conv_weight()), 1e-11);
  }
}

TEST(Attention, is_as_defined_for_ragged_packs) {
  expect_as_defined(kRagged);
  CaseOptions options = kRagged;
  options.config.taps = 301;
  expect_as_defined(options);
  options.config = {.heads = 3, .landmarks = 6, .taps = 0};
  options.head_width = 10;
  expect_as_defined(options);
  options.config.op = AttentionOp::kSoftmax;
  options.dropout = 0.1;
  expect_as_defined(options);
}

TEST(Attention, is_as_defined_for_chunks_of_long_sequences_by_heads_and_by_phases) {
  CaseOptions options{
      .config = {.heads = 2, .landmarks = 8, .taps = 9}, .rows = {2500, 7, 1100}, .head_width = 8};
  for (const int threads : {1, 2, 5}) {
    options.threads = threads;
    expect_as_defined(options);
  }
  options.lengths = {1000, 5, 1100};  // the third chunk of the first sequence has no key
  expect_as_defined(options);
}

TEST(Attention, is_as_defined_with_one_scale_for_all_matrices) {
  CaseOptions options = kRagged;
  options.config.pinv_init = PinvInit::kBatchMax;
  options.lengths = {90, 16, 11, 3, 211};
  for (const int threads : {1, 3}) {
    options.threads = threads;
    expect_as_defined(options);
  }
}

TEST(Attention, neighbours_change_nothing) {
  AttentionCase<float> pack(kRagged);
  pack.forward();
  pack.backward();
  std::int64_t begin = 0;
  for (const std::int32_t rows : kRagged.rows) {
    CaseOptions alone_options = kRagged;
    alone_options.rows = {rows};
    AttentionCase<float> alone(alone_options);
    copy_rows(pack, begin, alone, 0, rows);
    alone.forward();
    alone.backward();
    EXPECT_TRUE(same_bits(pack.out().rows(begin, rows), alone.out())) << rows;
    EXPECT_TRUE(same_bits(pack.d_qkv().rows(begin, rows), alone.d_qkv())) << rows;
    begin += rows;
  }
}

TEST(Attention, one_scale_for_all_matrices_lets_neighbours_in) {
  CaseOptions options = kRagged;
  options.config.pinv_init = PinvInit::kBatchMax;
  options.rows = {100, 90};
  AttentionCase<double> pack(options);
  pack.forward();
  double largest = 0;
  for (const std::int64_t begin : {0, 100}) {
    const std::int64_t rows = begin == 0 ? 100 : 90;
    options.rows = {static_cast<std::int32_t>(rows)};
    AttentionCase<double> alone(options);
    copy_rows(pack, begin, alone, 0, rows);
    alone.forward();
    largest = std::max(largest, distance(pack.out().rows(begin, rows), alone.out()));
  }
  EXPECT_GT(largest, 1e-12);
  EXPECT_LT(largest, 1e-1);
}

TEST(Attention, keys_beyond_the_length_are_not_attended_to) {
  CaseOptions options{
      .config = {.op = AttentionOp::kSoftmax, .heads = 2, .taps = 0}, .rows = {20}, .lengths = {12}};
  AttentionCase<double> padded(options);
  padded.forward();
  options.rows = {12};
  AttentionCase<double> bare(options);
  copy_rows(padded, 0, bare, 0, 12);
  bare.forward();
  EXPECT_LT(distance(padded.out().rows(0, 12), bare.out().rows(0, 12)), 1e-14);
}

TEST(Attention, fp32_is_near_fp64) {
  CaseOptions options = kRagged;
  options.config.landmarks = 64;
  options.config.taps = 65;
  options.head_width = 64;
  options.rows = {300, 70, 30};
  for (const AttentionOp op : {AttentionOp::kNystrom, AttentionOp::kSoftmax}) {
    options.config.op = op;
    AttentionCase<float> single(options);
    AttentionCase<double> exact(options);
    exact.copy_inputs(single);
    single.forward();
    single.backward();
    exact.forward();
    exact.backward();
    EXPECT_LT(distance(single.out(), exact.out()), 2e-6);
    EXPECT_LT(distance(single.d_qkv(), exact.d_qkv()), 1e-5);
    EXPECT_LT(distance(single.d_conv_weight(), exact.d_conv_weight()), 2e-6);
  }
}

TEST(Attention, bf16_is_near_fp64_of_the_same_inputs) {
  for (const AttentionOp op : {AttentionOp::kNystrom, AttentionOp::kSoftmax}) {
    CaseOptions options = kRagged;
    options.config.op = op;
    AttentionCase<BF16> half(options);
    AttentionCase<double> exact(options);
    exact.copy_inputs(half);
    half.forward();
    half.backward();
    exact.forward();
    exact.backward();
    EXPECT_LT(distance(half.out(), exact.out()), 4e-3);
    EXPECT_LT(distance(half.d_qkv(), exact.d_qkv()), 1e-2);
    EXPECT_LT(distance(half.d_conv_weight(), exact.d_conv_weight()), 1e-4);
  }
}

TEST(Attention, has_the_same_bits_for_any_thread_count) {
  for (const AttentionOp op : {AttentionOp::kNystrom, AttentionOp::kSoftmax}) {
    CaseOptions options = kRagged;
    options.config.op = op;
    options.rows = {1300, 20};
    AttentionCase<float> single(options);
    single.forward();
    single.backward();
    for (const int threads : {1, 2, 4, 7}) {
      options.threads = threads;
      AttentionCase<float> many(options);
      many.forward();
      many.backward();
      EXPECT_TRUE(same_bits(single.out(), many.out())) << threads;
      EXPECT_TRUE(same_bits(single.d_qkv(), many.d_qkv())) << threads;
      EXPECT_TRUE(same_bits(single.d_conv_weight(), many.d_conv_weight())) << threads;
    }
  }
}

TEST(Attention, without_avx512_it_is_the_same_to_rounding) {
  for (const AttentionOp op : {AttentionOp::kNystrom, AttentionOp::kSoftmax}) {
    CaseOptions options = kRagged;
    options.config.op = op;
    AttentionCase<float> best(options), plain(options);
    best.forward();
    best.backward();
    hwy::DisableTargets(~std::int64_t{HWY_AVX2});
    plain.forward();
    plain.backward();
    hwy::DisableTargets(0);
    EXPECT_LT(distance(plain.out(), best.out()), 1e-6);
    EXPECT_LT(distance(plain.d_qkv(), best.d_qkv()), 1e-5);
    EXPECT_LT(distance(plain.d_conv_weight(), best.d_conv_weight()), 1e-5);
  }
}

TEST(Attention, a_workspace_too_small_is_refused) {
  CaseOptions options = kRagged;
  AttentionCase<float> attention(options);
  CaseArguments args = attention.arguments();
  args.inputs.workspace = args.inputs.workspace.first(100);
  EXPECT_THROW(args.forward(attention.context()), InternalError);
}

TEST(Attention, nystrom_refuses_dropout) {
  CaseOptions options = kRagged;
  options.dropout = 0.1;
  AttentionCase<float> attention(options);
  EXPECT_THROW(attention.forward(), InternalError);
}

TEST(Attention, dropout_keeps_the_expected_share_and_its_mean) {
  CaseOptions options{
      .config = {.op = AttentionOp::kSoftmax, .heads = 2, .taps = 0}, .rows = {150}, .dropout = 0.25};
  AttentionCase<double> dropped(options);
  for (double& x : dropped.qkv().span<double>()) x = 1;  // equal probabilities, equal values
  dropped.forward();
  double mean = 0;
  for (const double y : dropped.out().span<double>()) mean += y / static_cast<double>(dropped.out().numel());
  EXPECT_NEAR(mean, 1.0, 0.01);
  const double kept = dropped.out().span<double>()[0] * 0.75 * 150;
  EXPECT_NEAR(kept, std::round(kept), 1e-9);
}

TEST(Attention, residual_shrinks_with_more_iterations_and_is_zero_for_exact_attention) {
  CaseOptions options = kRagged;
  options.rows = {200, 10};
  std::vector<double> sizes;
  for (const int iterations : {2, 4, 6, 12}) {
    options.config.pinv_iterations = iterations;
    AttentionCase<double> attention(options);
    attention.forward();
    const auto residuals = attention.saved().residuals.span<double>();
    sizes.push_back(residuals[0]);
    EXPECT_EQ(residuals[3], 0.0);
  }
  for (std::size_t i = 1; i < sizes.size(); ++i) EXPECT_LT(sizes[i], sizes[i - 1]);
}

}  // namespace
}  // namespace nystrom::testing
