#include "kernels/embedding.h"

#include "gradient_check.h"
#include "op_support.h"

namespace nystrom::testing {
namespace {

constexpr std::int64_t kVocabulary = 11, kPositions = 9, kTypes = 2;

OwnedTensor ids(std::int64_t tokens, std::int64_t limit, std::uint64_t seed) {
  OwnedTensor out(DType::kI32, {tokens});
  Random random(seed, Purpose::kTest, 1);
  for (auto& id : out.view().span<std::int32_t>())
    id = static_cast<std::int32_t>(random.below(static_cast<std::uint64_t>(limit)));
  return out;
}

struct Tables {
  OwnedTensor word, position, type, gamma, beta;

  Tables(DType dtype, std::int64_t columns, bool filled)
      : word(dtype, {kVocabulary, columns}),
        position(dtype, {kPositions + 2, columns}),
        type(dtype, {kTypes, columns}),
        gamma(dtype, {columns}),
        beta(dtype, {columns}) {
    if (!filled) return;
    word = normal(dtype, {kVocabulary, columns}, 1);
    position = normal(dtype, {kPositions + 2, columns}, 2);
    type = normal(dtype, {kTypes, columns}, 3);
    gamma = normal(dtype, {columns}, 4);
    beta = normal(dtype, {columns}, 5);
  }
  [[nodiscard]] EmbeddingTables view() const { return {word, position, type, gamma, beta}; }
};

struct Trial {
  OwnedTensor word_ids, type_ids, positions;
  Tables tables, gradients;
  OwnedTensor stats, y, d_y, d_sum;
  TestKeys keys;
  Dropout dropout;
  std::int64_t pad_id = -1;

  Trial(DType dtype, std::int64_t tokens, std::int64_t columns, double probability)
      : word_ids(ids(tokens, kVocabulary, 1)),
        type_ids(ids(tokens, kTypes, 2)),
        positions(ids(tokens, kPositions, 3)),
        tables(compute_dtype(dtype), columns, true),
        gradients(compute_dtype(dtype), columns, false),
        stats(compute_dtype(dtype), {tokens, 2}),
        y(dtype, {tokens, columns}),
        d_y(normal(dtype, {tokens, columns}, 6)),
        d_sum(compute_dtype(dtype), {tokens, columns}),
        keys(tokens),
        dropout{.probability = probability, .seed = 8, .site = 0} {}

  [[nodiscard]] EmbeddingInputs inputs() const { return {word_ids, type_ids, positions}; }
  void forward(Context& context) const {
    embedding_forward(context, {.inputs = inputs(),
                                .tables = tables.view(),
                                .dropout = dropout,
                                .keys = keys.view(),
                                .stats = stats,
                                .y = y});
  }
  void backward(Context& context) const {
    embedding_backward(context, {.inputs = inputs(),
                                 .tables = tables.view(),
                                 .dropout = dropout,
                                 .keys = keys.view(),
                                 .stats = stats,
                                 .d_y = d_y,
                                 .d_sum = d_sum,
                                 .gradients = gradients.view(),
                                 .pad_id = pad_id});
  }
};

TEST(Embedding, positions_begin_at_row_two) {
  Context context(1);
  const Trial run(DType::kF64, 4, 6, 0);
  run.forward(context);
  const std::int64_t token = 3;
  const auto word = run.word_ids.view().data<std::int32_t>()[token];
  const auto position = run.positions.view().data<std::int32_t>()[token] + 2;
  const auto type = run.type_ids.view().data<std::int32_t>()[token];
  std::vector<double> sum(6);
  double mean = 0, variance = 0;
  for (std::int64_t c = 0; c < 6; ++c) {
    sum[static_cast<std::size_t>(c)] = value(run.tables.word, word * 6 + c) +
                                       value(run.tables.position, position * 6 + c) +
                                       value(run.tables.type, type * 6 + c);
    mean += sum[static_cast<std::size_t>(c)] / 6;
  }
  for (const double s : sum) variance += (s - mean) * (s - mean) / 6;
  for (std::int64_t c = 0; c < 6; ++c)
    EXPECT_NEAR(
        value(run.y, token * 6 + c),
        value(run.tables.gamma, c) * (sum[static_cast<std::size_t>(c)] - mean) / std::sqrt(variance + 1e-5) +
            value(run.tables.beta, c),
        1e-13);
}

TEST(Embedding, gradients_are_those_of_the_loss) {
  Context context(2);
  for (const double probability : {0.0, 0.4}) {
    const Trial run(DType::kF64, 25, 12, probability);
    const auto loss = [&] {
      run.forward(context);
      return dot(run.y, run.d_y);
    };
    loss();
    run.backward(context);
    expect_gradient("word", run.tables.word, run.gradients.word, loss);
    expect_gradient("position", run.tables.position, run.gradients.position, loss);
    expect_gradient("type", run.tables.type, run.gradients.type, loss);
    expect_gradient("gamma", run.tables.gamma, run.gradients.gamma, loss);
    expect_gradient("beta", run.tables.beta, run.gradients.beta, loss);
  }
}

TEST(Embedding, the_padding_token_gets_no_gradient_and_others_keep_theirs) {
  Context context(2);
  Trial with(DType::kF64, 60, 8, 0), without(DType::kF64, 60, 8, 0);
  const std::int32_t pad = with.word_ids.view().data<std::int32_t>()[0];
  with.pad_id = pad;
  for (const Trial* run : {&with, &without}) {
    run->forward(context);
    run->backward(context);
  }
  for (std::int64_t i = 0; i < kVocabulary * 8; ++i)
    EXPECT_EQ(value(with.gradients.word, i), i / 8 == pad ? 0 : value(without.gradients.word, i));
  EXPECT_NE(value(without.gradients.word, pad * 8), 0);
  EXPECT_TRUE(same_bits(with.gradients.position, without.gradients.position));
}

TEST(Embedding, fp32_and_bf16_agree_with_fp64) {
  Context context(2);
  const Trial reference(DType::kF64, 75, 130, 0.1);
  reference.forward(context);
  reference.backward(context);
  for (const DType type : {DType::kF32, DType::kBF16}) {
    const Trial run(type, 75, 130, 0.1);
    run.forward(context);
    run.backward(context);
    EXPECT_LT(distance(run.y, reference.y), tolerance(type)) << name_of(type);
    EXPECT_LT(distance(run.gradients.word, reference.gradients.word), 1e-6) << name_of(type);
    EXPECT_LT(distance(run.gradients.position, reference.gradients.position), 1e-6) << name_of(type);
    EXPECT_LT(distance(run.gradients.type, reference.gradients.type), 1e-6) << name_of(type);
    EXPECT_LT(distance(run.gradients.gamma, reference.gradients.gamma), 1e-6) << name_of(type);
    EXPECT_LT(distance(run.gradients.beta, reference.gradients.beta), 1e-6) << name_of(type);
  }
}

TEST(Embedding, gradients_have_the_same_bits_for_any_thread_count_and_are_added) {
  Context one(1);
  const auto run_twice = [](Context& context, const Trial& trial) {
    trial.forward(context);
    for (int twice = 0; twice < 2; ++twice) trial.backward(context);
  };
  const Trial a(DType::kF32, 200, 150, 0.1);
  run_twice(one, a);
  for (const int threads : kThreadCounts) {
    Context several(threads);
    const Trial b(DType::kF32, 200, 150, 0.1);
    run_twice(several, b);
    EXPECT_TRUE(same_bits(a.gradients.word, b.gradients.word)) << threads;
    EXPECT_TRUE(same_bits(a.gradients.position, b.gradients.position)) << threads;
    EXPECT_TRUE(same_bits(a.gradients.type, b.gradients.type)) << threads;
    EXPECT_TRUE(same_bits(a.gradients.gamma, b.gradients.gamma)) << threads;
    EXPECT_TRUE(same_bits(a.gradients.beta, b.gradients.beta)) << threads;
  }
  const Trial once(DType::kF32, 200, 150, 0.1);
  once.forward(one);
  once.backward(one);
  EXPECT_NEAR(value(a.gradients.beta, 5), 2 * value(once.gradients.beta, 5), 1e-4);
}

TEST(Embedding, refuses_ids_outside_the_tables) {
  Context context(1);
  const Trial run(DType::kF32, 4, 8, 0);
  run.word_ids.view().data<std::int32_t>()[2] = kVocabulary;
  EXPECT_THROW(run.forward(context), InternalError);
  run.word_ids.view().data<std::int32_t>()[2] = 0;
  run.positions.view().data<std::int32_t>()[1] = kPositions;
  EXPECT_THROW(run.forward(context), InternalError);
}

TEST(Embedding, accepts_zero_tokens) {
  Context context(2);
  const Trial run(DType::kF32, 0, 8, 0.1);
  run.forward(context);
  run.backward(context);
  EXPECT_EQ(value(run.gradients.word, 0), 0);
}

}  // namespace
}  // namespace nystrom::testing
