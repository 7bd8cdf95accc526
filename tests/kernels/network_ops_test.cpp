// Ops of the network's options: rotary positions, pooling, features of pairs, residuals, LayerNorm with a
// skip, embeddings without positions or LayerNorm.

#include "gradient_check.h"
#include "kernels/embedding.h"
#include "kernels/layer_norm.h"
#include "kernels/pair_features.h"
#include "kernels/pool.h"
#include "kernels/residual.h"
#include "kernels/rotary.h"
#include "kernels/unit_rows.h"
#include "op_support.h"

namespace nystrom::testing {
namespace {

/// Cosines and sines of p / 10000^(2 i / D).
OwnedTensor rotations(std::int64_t positions, std::int64_t width) {
  OwnedTensor table(DType::kF64, {positions, width});
  for (std::int64_t p = 0; p < positions; ++p)
    for (std::int64_t i = 0; i < width / 2; ++i) {
      const double angle =
          static_cast<double>(p) / std::pow(1e4, 2 * static_cast<double>(i) / static_cast<double>(width));
      set(table, p * width + i, std::cos(angle));
      set(table, p * width + width / 2 + i, std::sin(angle));
    }
  return table;
}

TEST(Rotary, rotates_pairs_of_queries_and_keys_but_not_values) {
  Context context(2);
  const auto table = rotations(9, 6), before = normal(DType::kF64, {2, 36}, 1);  // two heads of 6 channels
  auto qkv = normal(DType::kF64, {2, 36}, 1);
  const auto positions = integers<std::int32_t>({3, 8});
  const Rotary args{.heads = 2, .turned = 2, .positions = positions, .table = table, .qkv = qkv};
  rotate(context, args);
  const double angle = 3 / std::pow(1e4, 2.0 / 6);
  const std::int64_t a = 6 + 1, b = a + 3;  // pair 1 of the first token's second head
  EXPECT_NEAR(value(qkv, a), value(before, a) * std::cos(angle) - value(before, b) * std::sin(angle), 1e-14);
  EXPECT_NEAR(value(qkv, b), value(before, b) * std::cos(angle) + value(before, a) * std::sin(angle), 1e-14);
  for (std::int64_t c = 24; c < 36; ++c) EXPECT_EQ(value(qkv, c), value(before, c)) << c;
  Rotary back = args;
  back.back = true;
  rotate(context, back);
  EXPECT_LT(distance(qkv, before), 1e-15);
}

TEST(Rotary, products_depend_only_on_the_distance) {
  Context context(1);
  const auto table = rotations(60, 8), row = normal(DType::kF64, {1, 16}, 1);
  const auto product = [&](std::int32_t q, std::int32_t k) {
    OwnedTensor qk(DType::kF64, {2, 16});
    for (std::int64_t c = 0; c < 16; ++c) set(qk, c, value(row, c)), set(qk, 16 + c, value(row, c));
    const auto positions = integers<std::int32_t>({q, k});
    rotate(context, {.heads = 1, .turned = 2, .positions = positions, .table = table, .qkv = qk});
    double sum = 0;
    for (std::int64_t c = 0; c < 8; ++c) sum += value(qk, c) * value(qk, 24 + c);
    return sum;
  };
  EXPECT_NEAR(product(2, 7), product(50, 55), 1e-13);
  EXPECT_GT(std::abs(product(2, 7) - product(2, 8)), 1e-3);
}

TEST(Rotary, in_fp32_and_bf16_agrees_with_fp64) {
  Context context(2);
  const auto table = rotations(40, 8);
  const auto positions = integers<std::int32_t>({0, 1, 17, 39});
  const auto exact = normal(DType::kF64, {4, 24}, 1);
  rotate(context, {.heads = 1, .turned = 2, .positions = positions, .table = table, .qkv = exact});
  for (const DType type : {DType::kF32, DType::kBF16}) {
    OwnedTensor single(DType::kF32, {40, 8});
    for (std::int64_t i = 0; i < 320; ++i) set(single, i, value(table, i));
    const auto qkv = normal(type, {4, 24}, 1);
    rotate(context, {.heads = 1, .turned = 2, .positions = positions, .table = single, .qkv = qkv});
    EXPECT_LT(distance(qkv, exact), tolerance(type));
  }
}

/// Three sequences of 1, 5 and 3 rows.
struct Pack {
  OwnedTensor offsets = integers<std::int32_t>({0, 1, 6, 9}), lengths = integers<std::int32_t>({1, 5, 3});
  [[nodiscard]] Sequences view() const { return {offsets, lengths, 3, 9, 5}; }
};

TEST(Pool, is_the_mean_or_the_maximum_of_each_sequence) {
  Context context(2);
  const Pack pack;
  for (const DType type : {DType::kF64, DType::kF32, DType::kBF16}) {
    const auto x = normal(type, {9, 70}, 1);
    const OwnedTensor mean(type, {3, 70}), largest(type, {3, 70}), rows(DType::kI32, {3, 70});
    pool_forward(context, {PoolKind::kMean, pack.view(), x, {}, mean});
    pool_forward(context, {PoolKind::kMax, pack.view(), x, rows, largest});
    for (std::int64_t c = 0; c < 70; ++c) {
      double sum = 0, most = -1e9;
      for (std::int64_t row = 1; row < 6; ++row) {
        sum += value(x, row * 70 + c);
        most = std::max(most, value(x, row * 70 + c));
      }
      EXPECT_NEAR(value(mean, 70 + c), sum / 5, 4 * tolerance(type));
      EXPECT_EQ(value(largest, 70 + c), most);
      EXPECT_EQ(value(x, rows.view().data<std::int32_t>()[70 + c] * 70 + c), most);
      EXPECT_EQ(value(largest, c), value(x, c));
    }
  }
}

TEST(Pool, gradients_are_those_of_the_loss) {
  Context context(2);
  const Pack pack;
  const auto x = normal(DType::kF64, {9, 7}, 1), d_y = normal(DType::kF64, {3, 7}, 2);
  const OwnedTensor y(DType::kF64, {3, 7}), rows(DType::kI32, {3, 7}), d_x(DType::kF64, {9, 7});
  for (const PoolKind kind : {PoolKind::kMean, PoolKind::kMax}) {
    const auto loss = [&] {
      pool_forward(context, {kind, pack.view(), x, rows, y});
      return dot(y, d_y);
    };
    loss();
    pool_backward(context, {kind, pack.view(), rows, d_y, d_x});
    expect_gradient("x", x, d_x, loss);
  }
}

TEST(PairFeatures, are_both_rows_their_product_and_their_difference) {
  Context context(2);
  const auto x = tensor_of<double>({2, 2}, {2, 3, 5, -1});
  const OwnedTensor y(DType::kF64, {1, 8});
  pair_features_forward(context, x, y);
  constexpr double kExpected[] = {2, 3, 5, -1, 10, -3, -3, 4};
  for (std::int64_t i = 0; i < 8; ++i) EXPECT_EQ(value(y, i), kExpected[i]);
}

TEST(PairFeatures, gradients_are_those_of_the_loss) {
  Context context(2);
  const auto x = normal(DType::kF64, {6, 5}, 1), d_y = normal(DType::kF64, {3, 20}, 2);
  const OwnedTensor y(DType::kF64, {3, 20}), d_x(DType::kF64, {6, 5});
  pair_features_backward(context, x, d_y, d_x);
  expect_gradient("x", x, d_x, [&] {
    pair_features_forward(context, x, y);
    return dot(y, d_y);
  });
}

TEST(UnitRows, have_the_length_asked_for_in_their_first_columns) {
  Context context(2);
  const auto x = tensor_of<double>({3, 3}, {3, 4, 100, 0, 0, 7, -6, 8, 1});
  const OwnedTensor norms(DType::kF64, {3}), y(DType::kF64, {3, 2});
  unit_rows_forward(context, {.x = x, .length = 10, .norms = norms, .y = y});
  constexpr double kNorms[] = {5, 0, 10}, kExpected[] = {6, 8, 0, 0, -6, 8};
  for (std::int64_t i = 0; i < 3; ++i) EXPECT_EQ(value(norms, i), kNorms[i]);
  for (std::int64_t i = 0; i < 6; ++i) EXPECT_NEAR(value(y, i), kExpected[i], 1e-14);
}

TEST(UnitRows, gradients_are_those_of_the_loss_and_are_added) {
  Context context(2);
  const auto x = normal(DType::kF64, {6, 5}, 1), d_y = normal(DType::kF64, {6, 4}, 2);
  const OwnedTensor norms(DType::kF64, {6}), y(DType::kF64, {6, 4}), d_x(DType::kF64, {6, 5});
  const auto loss = [&] {
    unit_rows_forward(context, {.x = x, .length = 3, .norms = norms, .y = y});
    return dot(y, d_y);
  };
  loss();
  const UnitRowsGradient gradient{.y = y, .norms = norms, .length = 3, .d_y = d_y, .d_x = d_x};
  unit_rows_backward(context, gradient);
  expect_gradient("x", x, d_x, loss);
  const double once = value(d_x, 0);
  loss();
  unit_rows_backward(context, gradient);
  EXPECT_EQ(value(d_x, 0), 2 * once);
}

TEST(Residual, is_added_in_every_type_and_in_place) {
  Context context(2);
  for (const DType type : {DType::kF64, DType::kF32, DType::kBF16}) {
    const auto a = normal(type, {3, 5}, 1), b = normal(type, {3, 5}, 2), before = normal(type, {3, 5}, 1);
    add_residual(context, a, b, a);
    for (std::int64_t i = 0; i < 15; ++i)
      EXPECT_NEAR(value(a, i), value(before, i) + value(b, i), 4 * tolerance(type));
  }
}

TEST(LayerNormBesideASkip, adds_what_else_flows_into_z_before_the_branch_takes_it) {
  Context context(2);
  for (const DType type : {DType::kF64, DType::kF32, DType::kBF16}) {
    const Shape shape{9, 11};
    const auto x = normal(type, shape, 1), d_y = normal(type, shape, 2), skip = normal(type, shape, 3);
    const auto d = normal(type, shape, 3);  // skip, in place
    const auto gamma = normal(compute_dtype(type), {11}, 4);
    const OwnedTensor z(type, shape), y(type, shape), stats(compute_dtype(type), {9, 2}), plain(type, shape),
        branch(type, shape), d_gamma(compute_dtype(type), {11}), d_beta(compute_dtype(type), {11});
    layer_norm_forward(context, {.residual = {},
                                 .branch = x,
                                 .bias = {},
                                 .gamma = gamma,
                                 .beta = gamma,
                                 .dropout = {},
                                 .keys = {},
                                 .z = z,
                                 .stats = stats,
                                 .y = y});
    LayerNormBackward args{.d_y = d_y,
                           .z = z,
                           .stats = stats,
                           .gamma = gamma,
                           .dropout = {},
                           .keys = {},
                           .d_z = plain,
                           .d_branch = plain,
                           .d_gamma = d_gamma,
                           .d_beta = d_beta,
                           .d_bias = {}};
    layer_norm_backward(context, args);
    args.d_skip = args.d_z = d;
    args.d_branch = branch;
    layer_norm_backward(context, args);
    for (std::int64_t i = 0; i < d.view().numel(); ++i) {
      EXPECT_NEAR(value(d, i), value(plain, i) + value(skip, i), 10 * tolerance(type));
      EXPECT_EQ(value(branch, i), value(d, i));
    }
  }
}

TEST(EmbeddingWithoutPositionsAndNorm, is_the_sum_of_the_other_tables) {
  Context context(2);
  const auto ids = integers<std::int32_t>({2, 0, 1}), types = integers<std::int32_t>({0, 1, 0}),
             positions = integers<std::int32_t>({0, 1, 2});
  const auto word = normal(DType::kF64, {3, 4}, 1), type = normal(DType::kF64, {2, 4}, 2),
             d_y = normal(DType::kF64, {3, 4}, 3);
  const EmbeddingTables tables{word, {}, type, {}, {}};
  const OwnedTensor y(DType::kF64, {3, 4}), d_sum(DType::kF64, {3, 4}), d_word(DType::kF64, {3, 4}),
      d_type(DType::kF64, {2, 4});
  const auto loss = [&] {
    embedding_forward(context, {.inputs = {ids, types, positions},
                                .tables = tables,
                                .dropout = {},
                                .keys = {},
                                .stats = {},
                                .y = y});
    return dot(y, d_y);
  };
  loss();
  EXPECT_EQ(value(y, 5), value(word, 1) + value(type, 5));
  embedding_backward(context, {.inputs = {ids, types, positions},
                               .tables = tables,
                               .dropout = {},
                               .keys = {},
                               .stats = {},
                               .d_y = d_y,
                               .d_sum = d_sum,
                               .gradients = {d_word, {}, d_type, {}, {}}});
  expect_gradient("word", word, d_word, loss);
  expect_gradient("type", type, d_type, loss);
}

}  // namespace
}  // namespace nystrom::testing
