// Every path of attention's backward against central differences in double precision.

#include "attention/attention_case.h"
#include "gradient_check.h"

namespace nystrom::testing {
namespace {

void check_gradients(const CaseOptions& options) {
  AttentionCase<double> attention(options);
  attention.forward();
  attention.backward();
  const auto loss = [&] { return attention.loss(); };
  expect_gradient("qkv", attention.qkv(), attention.d_qkv(), loss, 2e-6, 150);
  if (options.config.taps > 0)
    expect_gradient("conv_weight", attention.conv_weight(), attention.d_conv_weight(), loss, 2e-6);
}

TEST(AttentionGradient, of_many_more_tokens_than_landmarks) {
  check_gradients({.rows = {23}});
}

TEST(AttentionGradient, of_lengths_around_the_number_of_landmarks_in_one_pack) {
  check_gradients({.rows = {4, 5, 6, 17, 1}, .head_width = 3});
}

TEST(AttentionGradient, of_one_token) {
  check_gradients({.rows = {1}});
}

TEST(AttentionGradient, of_more_tokens_than_a_tile) {
  check_gradients({.config = {.heads = 1, .landmarks = 7, .taps = 9}, .rows = {301}, .head_width = 20});
}

TEST(AttentionGradient, of_more_landmarks_than_a_vector) {
  check_gradients({.config = {.heads = 1, .landmarks = 70, .taps = 3}, .rows = {150}, .head_width = 5});
}

TEST(AttentionGradient, of_a_filter_longer_than_the_sequence) {
  check_gradients({.config = {.heads = 2, .landmarks = 4, .taps = 31}, .rows = {9, 3}});
}

TEST(AttentionGradient, without_convolution) {
  check_gradients({.config = {.heads = 2, .landmarks = 4, .taps = 0}, .rows = {13, 3}});
}

TEST(AttentionGradient, with_one_scale_for_all_matrices) {
  check_gradients({.config = {.heads = 2, .landmarks = 4, .taps = 3, .pinv_init = PinvInit::kBatchMax},
                   .rows = {13, 3, 8}});
}

TEST(AttentionGradient, with_padding_rows_that_only_the_keys_leave_out) {
  check_gradients({.config = {.heads = 2, .landmarks = 4, .taps = 3, .pinv_init = PinvInit::kBatchMax},
                   .rows = {12, 12},
                   .lengths = {12, 7}});
}

TEST(AttentionGradient, of_exact_softmax) {
  check_gradients({.config = {.op = AttentionOp::kSoftmax, .heads = 2, .taps = 3}, .rows = {13, 1, 20}});
}

TEST(AttentionGradient, of_exact_softmax_over_several_tiles) {
  check_gradients(
      {.config = {.op = AttentionOp::kSoftmax, .heads = 1, .taps = 3}, .rows = {203}, .head_width = 18});
}

TEST(AttentionGradient, of_exact_softmax_with_padding_rows) {
  check_gradients(
      {.config = {.op = AttentionOp::kSoftmax, .heads = 2, .taps = 0}, .rows = {13, 13}, .lengths = {13, 4}});
}

TEST(AttentionGradient, of_exact_softmax_with_dropout) {
  check_gradients(
      {.config = {.op = AttentionOp::kSoftmax, .heads = 2, .taps = 3}, .rows = {13, 71}, .dropout = 0.3});
}

}  // namespace
}  // namespace nystrom::testing
