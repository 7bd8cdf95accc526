// The kinds of attention besides nystrom and softmax: each against its definition written down plainly, its
// gradients against central differences, and what all of them promise besides.

#include <gtest/gtest.h>

#include <cmath>

#include "attention/kind_case.h"
#include "gradient_check.h"
#include "hwy/targets.h"
#include "op_support.h"

namespace nystrom::testing {
namespace {

using Index = std::int64_t;
using Row = std::vector<double>;

/// One head of one sequence of a case in double precision.
struct PlainHead {
  KindCase<double>& of;
  Index head, begin, rows, width;

  [[nodiscard]] Row row(Index part, Index i) const {
    const Index channels = of.options().heads * width;
    const double* const x =
        of.qkv().data<double>() + (begin + i) * of.qkv().dim(1) + part * channels + head * width;
    return {x, x + width};
  }
  [[nodiscard]] Row value(Index i) const { return row(of.projections() - 1, i); }
};

double dot(const Row& a, const Row& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}
void add(Row& to, double factor, const Row& x) {
  for (std::size_t i = 0; i < to.size(); ++i) to[i] += factor * x[i];
}

/// sum_j weights [j] values [j] / sum_j weights [j]
Row mean(const Row& weights, const std::vector<Row>& values) {
  Row sum(values.front().size());
  double total = 0;
  for (std::size_t j = 0; j < weights.size(); ++j) {
    add(sum, weights[j], values[j]);
    total += weights[j];
  }
  for (double& x : sum) x /= total;
  return sum;
}

std::vector<Row> values_of(const PlainHead& h) {
  std::vector<Row> values;
  for (Index j = 0; j < h.rows; ++j) values.push_back(h.value(j));
  return values;
}

Row features_of(const PlainHead& h, const Row& x) {
  const Index m = h.of.options().features;
  const double scale = std::pow(static_cast<double>(h.width), -0.25);
  Row features;
  for (Index r = 0; r < m; ++r) {
    const double* const w = h.of.features().data<double>() + (h.head * m + r) * h.width;
    features.push_back(std::exp(scale * dot(x, Row(w, w + h.width)) - scale * scale * dot(x, x) / 2));
  }
  return features;
}

Row elu_plus_one(Row x) {
  for (double& each : x) each = each > 0 ? each + 1 : std::exp(each);
  return x;
}

/// Weight of each token for query i, where the context is their weighted mean.
Row weights_of(const PlainHead& h, Index i) {
  const KindOptions& o = h.of.options();
  const double scale = 1 / std::sqrt(static_cast<double>(h.width));
  Row weights;
  for (Index j = 0; j < h.rows; ++j) {
    const bool sees = std::abs(i - j) <= o.window / 2 || (o.global && (i == 0 || j == 0));
    if (o.kind == Kind::kValue)
      weights.push_back(i == j ? 1 : 0);
    else if (o.kind == Kind::kLongformer)
      weights.push_back(sees ? std::exp(scale * dot(h.row(0, i), h.row(1, j))) : 0);
    else if (o.kind == Kind::kLinear)
      weights.push_back(dot(elu_plus_one(h.row(0, i)), elu_plus_one(h.row(1, j))));
    else
      weights.push_back(dot(features_of(h, h.row(0, i)), features_of(h, h.row(1, j))));
  }
  return weights;
}

Row linformer_context(const PlainHead& h, Index i) {
  const KindOptions& o = h.of.options();
  const Tensor& e = h.of.key();
  const Tensor& f = o.shared ? e : h.of.value();
  const double scale = 1 / std::sqrt(static_cast<double>(h.width));
  Row weights;
  std::vector<Row> values;
  for (Index r = 0; r < o.projection; ++r) {
    Row k(static_cast<std::size_t>(h.width)), v = k;
    for (Index j = 0; j < h.rows; ++j) {
      const Index column = h.of.positions()[static_cast<std::size_t>(h.begin + j)];
      const Index at = (h.head * o.projection + r) * e.dim(2) + column;
      add(k, e.data<double>()[at], h.row(1, j));
      add(v, f.data<double>()[at], h.row(2, j));
    }
    weights.push_back(std::exp(scale * dot(h.row(0, i), k)));
    values.push_back(v);
  }
  return mean(weights, values);
}

/// How often a token attends to another, by definition: from the position of each in each round's order.
Row reformer_weights(const PlainHead& h, Index i) {
  const KindOptions& o = h.of.options();
  const Index n = h.rows, tokens = h.of.sequences().tokens, chunks = (n + o.chunk - 1) / o.chunk;
  Row weights(static_cast<std::size_t>(n));
  for (Index round = 0; round < o.hashes; ++round) {
    const auto bucket = [&](Index j) {
      return h.of.buckets()[static_cast<std::size_t>((round * o.heads + h.head) * tokens + h.begin + j)];
    };
    const auto chunk_of = [&](Index j) {
      Index place = 0;
      for (Index other = 0; other < n; ++other)
        place += bucket(other) < bucket(j) || (bucket(other) == bucket(j) && other < j) ? 1 : 0;
      return place / o.chunk;
    };
    for (Index j = 0; j < n; ++j) {
      const bool sees = chunk_of(j) == chunk_of(i) || chunk_of(j) == (chunk_of(i) + chunks - 1) % chunks;
      const double length = std::sqrt(dot(h.row(0, j), h.row(0, j)) + 1e-6 * static_cast<double>(h.width));
      if (sees && (i != j || n == 1))
        weights[static_cast<std::size_t>(j)] += std::exp(dot(h.row(0, i), h.row(0, j)) / length);
    }
  }
  return weights;
}

Row context_of(const PlainHead& h, Index i) {
  if (h.of.options().kind == Kind::kLinformer) return linformer_context(h, i);
  if (h.of.options().kind == Kind::kReformer) return mean(reformer_weights(h, i), values_of(h));
  return mean(weights_of(h, i), values_of(h));
}

/// The output of token i with the convolution.
Row output_of(const PlainHead& h, Index i) {
  Row y = context_of(h, i);
  const Index taps = h.of.options().taps;
  for (Index k = 0; k < taps; ++k) {
    const Index from = i + k - taps / 2;
    if (from >= 0 && from < h.rows) add(y, h.of.filter().data<double>()[h.head * taps + k], h.value(from));
  }
  return y;
}

void expect_as_defined(const KindOptions& options) {
  KindCase<double> one(options);
  one.forward();
  Index begin = 0;
  for (const std::int32_t rows : options.rows) {
    for (Index head = 0; head < options.heads; ++head) {
      const PlainHead plain{one, head, begin, rows, options.width};
      for (Index i = 0; i < rows; i += std::max<Index>(1, rows / 40)) {
        const Row y = output_of(plain, i);
        const double* const ours =
            one.out().data<double>() + (begin + i) * one.out().dim(1) + head * options.width;
        for (Index d = 0; d < options.width; ++d)
          ASSERT_NEAR(ours[d], y[static_cast<std::size_t>(d)], 1e-10)
              << "row " << i << " of " << rows << ", head " << head << ", channel " << d;
      }
    }
    begin += rows;
  }
}

void expect_gradients(const KindOptions& options) {
  KindCase<double> one(options);
  one.forward();
  one.backward();
  const auto loss = [&] { return one.loss(); };
  expect_gradient("qkv", one.qkv(), one.d_qkv(), loss, 2e-6, 150);
  if (options.taps > 0) expect_gradient("filter", one.filter(), one.d_filter(), loss, 2e-6);
  if (!one.key().empty()) expect_gradient("E", one.key(), one.d_key(), loss, 2e-6, 100);
  if (!one.value().empty()) expect_gradient("F", one.value(), one.d_value(), loss, 2e-6, 100);
}

/// Each kind, with variants where it has any.
std::vector<KindOptions> all_kinds() {
  std::vector<KindOptions> all;
  for (const Kind kind : kKinds) all.push_back({.kind = kind});
  all.push_back({.kind = Kind::kLongformer, .global = true});
  all.push_back({.kind = Kind::kLinformer, .shared = true, .gaps = true});
  all.push_back({.kind = Kind::kReformer, .hashes = 3, .chunk = 70, .buckets = 300});
  return all;
}

class AttentionKinds : public ::testing::TestWithParam<KindOptions> {};

KindOptions ragged(const KindOptions& kind) {
  KindOptions options = kind;
  options.rows = {100, 8, 9, 1, 211};
  return options;
}

TEST_P(AttentionKinds, are_as_defined_for_ragged_packs) {
  KindOptions options = ragged(GetParam());
  expect_as_defined(options);
  options.width = 16;
  options.taps = 0;
  expect_as_defined(options);
}

TEST_P(AttentionKinds, are_as_defined_for_more_rows_than_a_chunk) {
  KindOptions options = GetParam();
  options.rows = {1100, 7};
  options.heads = 1;
  options.taps = 9;
  options.window = 140;
  options.threads = 3;
  expect_as_defined(options);
}

TEST_P(AttentionKinds, have_the_gradients_of_central_differences) {
  KindOptions options = GetParam();
  options.rows = {21, 8, 9, 1, 2};
  options.width = 5;
  expect_gradients(options);
  options.rows = {139, 65};
  options.heads = 1;
  options.taps = 0;
  options.window = 34;
  options.features = 37;
  expect_gradients(options);
}

TEST_P(AttentionKinds, have_the_gradients_of_central_differences_over_chunks) {
  KindOptions options = GetParam();
  options.rows = {1090};
  options.heads = 1;
  options.taps = 3;
  expect_gradients(options);
}

TEST_P(AttentionKinds, have_the_same_bits_for_any_thread_count) {
  KindOptions options = GetParam();
  options.rows = {2300, 20, 64};
  options.width = 16;
  KindCase<float> single(options);
  single.forward();
  single.backward();
  for (const int threads : {2, 5}) {
    options.threads = threads;
    KindCase<float> many(options);
    many.forward();
    many.backward();
    EXPECT_TRUE(same_bits(single.out(), many.out())) << threads;
    EXPECT_TRUE(same_bits(single.d_qkv(), many.d_qkv())) << threads;
    EXPECT_TRUE(same_bits(single.d_filter(), many.d_filter())) << threads;
    EXPECT_TRUE(same_bits(single.d_key(), many.d_key())) << threads;
    EXPECT_TRUE(same_bits(single.d_value(), many.d_value())) << threads;
  }
}

/// Copies a sequence's values from a pack to a separate case.
void copy_rows(KindCase<float>& pack, Index begin, KindCase<float>& alone) {
  const Index rows = alone.sequences().tokens;
  std::ranges::copy(pack.qkv().rows(begin, rows).span<float>(), alone.qkv().span<float>().begin());
  std::ranges::copy(pack.d_out().rows(begin, rows).span<float>(), alone.d_out().span<float>().begin());
  for (const auto& [from, to] : {std::pair{&pack.key(), &alone.key()}, {&pack.value(), &alone.value()}})
    for (Index row = 0; !from->empty() && row < to->dim(0) * to->dim(1); ++row)
      std::copy_n(from->data<float>() + row * from->dim(2), to->dim(2), to->data<float>() + row * to->dim(2));
  const Index tokens = pack.sequences().tokens;
  for (std::size_t row = 0; row < alone.buckets().size() / static_cast<std::size_t>(rows); ++row)
    std::copy_n(pack.buckets().begin() + static_cast<Index>(row) * tokens + begin, rows,
                alone.buckets().begin() + static_cast<Index>(row) * rows);
  if (!alone.buckets().empty()) alone.upload_buckets();
}

TEST_P(AttentionKinds, have_the_same_bits_in_any_batch) {
  const KindOptions options = ragged(GetParam());
  KindCase<float> pack(options);
  pack.forward();
  pack.backward();
  Index begin = 0;
  for (const std::int32_t rows : options.rows) {
    KindOptions alone_options = options;
    alone_options.rows = {rows};
    KindCase<float> alone(alone_options);
    copy_rows(pack, begin, alone);
    alone.forward();
    alone.backward();
    EXPECT_TRUE(same_bits(pack.out().rows(begin, rows), alone.out())) << rows;
    EXPECT_TRUE(same_bits(pack.d_qkv().rows(begin, rows), alone.d_qkv())) << rows;
    begin += rows;
  }
}

template <class T>
void expect_near_fp64(const KindOptions& options, double out, double gradient, double parameters) {
  KindCase<T> near(options);
  KindCase<double> exact(options);
  exact.copy_inputs(near);
  near.forward();
  near.backward();
  exact.forward();
  exact.backward();
  EXPECT_LT(distance(near.out(), exact.out()), out);
  EXPECT_LT(distance(near.d_qkv(), exact.d_qkv()), gradient);
  EXPECT_LT(distance(near.d_filter(), exact.d_filter()), parameters);
  EXPECT_LT(distance(near.d_key(), exact.d_key()), parameters);
  EXPECT_LT(distance(near.d_value(), exact.d_value()), parameters);
}

TEST_P(AttentionKinds, in_fp32_are_near_fp64) {
  KindOptions options = ragged(GetParam());
  options.width = 64;
  options.features = 128;
  options.rows = {300, 70, 1200};
  expect_near_fp64<float>(options, 3e-6, 1e-5, 1e-5);
}

TEST_P(AttentionKinds, in_bf16_are_near_fp64_of_the_same_inputs) {
  expect_near_fp64<BF16>(ragged(GetParam()), 4e-3, 1e-2, 1e-3);
}

TEST_P(AttentionKinds, without_avx512_are_the_same_to_rounding) {
  KindCase<float> best(ragged(GetParam())), plain(ragged(GetParam()));
  best.forward();
  best.backward();
  hwy::DisableTargets(~std::int64_t{HWY_AVX2});
  plain.forward();
  plain.backward();
  hwy::DisableTargets(0);
  EXPECT_LT(distance(plain.out(), best.out()), 2e-6);
  EXPECT_LT(distance(plain.d_qkv(), best.d_qkv()), 1e-5);
}

std::string name_of_case(const ::testing::TestParamInfo<KindOptions>& info) {
  constexpr const char* kNames[] = {"value", "linear", "longformer", "linformer", "performer", "reformer"};
  const KindOptions& o = info.param;
  return std::string(kNames[static_cast<std::size_t>(o.kind)]) + (o.global ? "_global" : "") +
         (o.shared ? "_shared" : "") + (o.chunk != 8 ? "_wide" : "");
}
INSTANTIATE_TEST_SUITE_P(, AttentionKinds, ::testing::ValuesIn(all_kinds()), name_of_case);

TEST(LongformerAttention, drops_what_softmax_attention_drops) {
  KindOptions options{.kind = Kind::kLongformer, .rows = {71, 13}, .window = 160, .dropout = 0.3};
  KindCase<double> dropped(options);
  const auto loss = [&] { return dropped.loss(); };
  dropped.forward();
  dropped.backward();
  expect_gradient("qkv", dropped.qkv(), dropped.d_qkv(), loss, 2e-6, 150);
  options.dropout = 0;
  KindCase<double> whole(options);
  whole.forward();
  EXPECT_GT(distance(dropped.out(), whole.out()), 0.01);
}

TEST(PerformerAttention, stays_exact_where_its_features_overflow) {
  const KindOptions options{.kind = Kind::kPerformer, .rows = {90}, .features = 32};
  KindCase<float> far(options);
  for (float& x : far.qkv().span<float>()) x *= 30;  // e^(w k) is beyond fp32
  KindCase<double> exact(options);
  exact.copy_inputs(far);
  far.forward();
  exact.forward();
  EXPECT_LT(distance(far.out(), exact.out()), 1e-3);
}

TEST(ReformerAttention, hashes_by_the_largest_of_the_rotated_queries_and_their_opposites) {
  const KindOptions options{.kind = Kind::kReformer, .rows = {100, 3, 17}, .chunk = 8};
  KindCase<float> one(options);
  const Index most = reformer_buckets(100, 8) / 2, width = options.width, tokens = 120;
  EXPECT_EQ(most, 8);
  const OwnedTensor rotations(DType::kF32, {2, options.heads, most, width}),
      buckets(DType::kI32, {2, options.heads, tokens}), workspace(DType::kF32, {20000});
  Random draws(1, Purpose::kTest, 9);
  for (float& x : rotations.view().span<float>()) x = static_cast<float>(draws.normal());
  reformer_hash(one.context(), {.heads = options.heads,
                                .chunk = 8,
                                .sequences = one.sequences(),
                                .qkv = one.qkv(),
                                .rotations = rotations,
                                .workspace = workspace,
                                .buckets = buckets});
  for (Index round = 0; round < 2; ++round)
    for (Index head = 0; head < options.heads; ++head)
      for (Index t = 0; t < tokens; ++t) {
        const Index half = reformer_buckets(t < 100 ? 100 : t < 103 ? 3 : 17, 8) / 2;
        Index best = 0;
        float largest = -1e30F;
        for (Index b = 0; b < 2 * half; ++b) {
          const float* const w =
              rotations.view().data<float>() + ((round * options.heads + head) * most + b % half) * width;
          const float* const q = one.qkv().data<float>() + t * one.qkv().dim(1) + head * width;
          float x = 0;
          for (Index d = 0; d < width; ++d) x = std::fma(q[d], w[d], x);
          x = b < half ? x : -x;
          if (x > largest) {
            largest = x;
            best = b;
          }
        }
        EXPECT_EQ(buckets.view().data<std::int32_t>()[(round * options.heads + head) * tokens + t], best);
      }
}

TEST(ReformerAttention, has_a_power_of_two_of_buckets_at_least_two) {
  for (const auto& [rows, buckets] : {std::pair<Index, Index>{1, 2},
                                      {63, 2},
                                      {64, 2},
                                      {127, 2},
                                      {128, 4},
                                      {191, 4},
                                      {192, 4},
                                      {256, 8},
                                      {4096, 128}})
    EXPECT_EQ(reformer_buckets(rows, 64), buckets) << rows;
}

}  // namespace
}  // namespace nystrom::testing
