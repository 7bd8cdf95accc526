// LayerNorm and embeddings: the CUDA twins.

#include "kernels/embedding.h"
#include "kernels/layer_norm.h"
#include "twins.h"

namespace nystrom::testing {
namespace {

struct Case {
  std::int64_t rows, columns;
  bool residual, bias;
  double dropout;
  std::int64_t shift = 0;
};
void PrintTo(const Case& c, std::ostream* to) {
  *to << c.rows << "x" << c.columns << "+" << c.shift << (c.residual ? " residual" : "")
      << (c.bias ? " bias" : "") << " " << c.dropout;
}

class NormOnDevice : public ::testing::TestWithParam<Case> {
 protected:
  const Case& c_ = GetParam();
  const Dropout dropout_{.probability = c_.dropout, .seed = 77, .site = 3};

  [[nodiscard]] Twins twins(DType type) const {
    const Shape shape{c_.rows, c_.columns}, row{c_.columns};
    Twins t(c_.shift);
    add_keys(t, c_.rows);
    t.input("residual", normal(type, shape, 1));
    t.input("branch", normal(type, shape, 2));
    t.input("bias", normal(DType::kF32, row, 3));
    t.input("gamma", normal(DType::kF32, row, 4));
    t.input("beta", normal(DType::kF32, row, 5));
    t.input("d_y", normal(type, shape, 6));
    return t;
  }
  void forward(Context& context, const Tensors& t, const Tensor& z) const {
    layer_norm_forward(context, {.residual = c_.residual ? t["residual"] : Tensor{},
                                 .branch = t["branch"],
                                 .bias = c_.bias ? t["bias"] : Tensor{},
                                 .gamma = t["gamma"],
                                 .beta = t["beta"],
                                 .dropout = dropout_,
                                 .keys = keys_of(t),
                                 .z = z,
                                 .stats = t["stats"],
                                 .y = t["y"]});
  }
  void backward(Context& context, const Tensors& t, const Tensor& z, const Tensor& d_y, const Tensor& d_z,
                const Tensor& d_branch) const {
    layer_norm_backward(context, {.d_y = d_y,
                                  .z = z,
                                  .stats = t["stats"],
                                  .gamma = t["gamma"],
                                  .dropout = dropout_,
                                  .keys = keys_of(t),
                                  .d_z = d_z,
                                  .d_branch = d_branch,
                                  .d_gamma = t["d_gamma"],
                                  .d_beta = t["d_beta"],
                                  .d_bias = c_.bias ? t["d_bias"] : Tensor{}});
  }
};

TEST_P(NormOnDevice, forward_and_backward_are_the_hosts) {
  for (const DType type : kDeviceTypes) {
    Twins t = twins(type);
    const Shape shape{c_.rows, c_.columns}, row{c_.columns};
    for (const char* name : {"z", "y", "d_z", "d_branch"}) t.output(name, type, shape);
    t.output("stats", DType::kF32, {c_.rows, 2});
    for (const char* name : {"d_gamma", "d_beta", "d_bias"}) t.updated(name, normal(DType::kF32, row, 7));
    t.expect_alike(twin_tolerance(type), [&](Context& context, const Tensors& x) {
      forward(context, x, x["z"]);
      backward(context, x, x["z"], x["d_y"], x["d_z"], x["d_branch"]);
    });
  }
}

TEST_P(NormOnDevice, works_in_place) {
  Twins t = twins(DType::kBF16);
  const Shape shape{c_.rows, c_.columns}, row{c_.columns};
  t.updated("z", normal(DType::kBF16, shape, 2));
  t.updated("d", normal(DType::kBF16, shape, 6));
  for (const char* name : {"y", "d_branch"}) t.output(name, DType::kBF16, shape);
  t.output("stats", DType::kF32, {c_.rows, 2});
  for (const char* name : {"d_gamma", "d_beta", "d_bias"}) t.updated(name, normal(DType::kF32, row, 7));
  t.expect_alike(2e-3, [&](Context& context, const Tensors& x) {
    Tensors joined = x;
    joined.set("branch", x["z"]);
    forward(context, joined, x["z"]);
    const bool apart = dropout_.active();
    backward(context, x, x["z"], x["d"], x["d"], apart ? x["d_branch"] : x["d"]);
    if (!apart) backward(context, x, x["z"], x["d"], x["d"], x["d_branch"]);  // so that it is written
  });
}

INSTANTIATE_TEST_SUITE_P(Cases, NormOnDevice,
                         ::testing::Values(Case{1, 8, false, false, 0}, Case{3, 7, true, true, 0.3},
                                           Case{20, 48, true, true, 0}, Case{17, 33, true, true, 0.3},
                                           Case{65, 304, true, false, 0.1}, Case{9, 768, true, true, 0.1},
                                           Case{11, 768, true, true, 0.1, 1}, Case{6, 1000, true, true, 0.1},
                                           Case{5, 1030, false, true, 0.5}, Case{4, 2048, true, true, 0.1},
                                           Case{501, 16, true, true, 0.1}));

TEST(NormOnDeviceRows, a_large_mean_does_not_drown_the_variance) {
  OnDevice device;
  std::vector<float> row(64);
  for (std::size_t c = 0; c < row.size(); ++c) row[c] = 10000.0F + (c % 2 == 0 ? 1.0F : -1.0F);
  const DeviceTensor branch = device.copy(row), gamma = device.copy(std::vector<float>(64, 1.0F)),
                     beta = device.copy(std::vector<float>(64, 0.0F));
  const DeviceTensor z = device.fresh(DType::kF32, {1, 64}), y = device.fresh(DType::kF32, {1, 64}),
                     stats = device.fresh(DType::kF32, {1, 2});
  LayerNormForward args;
  args.branch = branch.view().reshaped({1, 64}), args.gamma = gamma, args.beta = beta, args.epsilon = 0;
  args.z = z, args.stats = stats, args.y = y;
  layer_norm_forward(device.context(), args);
  EXPECT_EQ(value(device.fetch(stats), 1), 1);
  EXPECT_EQ(value(device.fetch(y), 1), -1);
}

// ---- embeddings ------------------------------------------------------------------------------------------

struct EmbeddingCase {
  std::int64_t tokens, columns, vocabulary, positions, types;
  double dropout;
  std::int64_t pad_id = -1, shift = 0;
};
void PrintTo(const EmbeddingCase& c, std::ostream* to) {
  *to << c.tokens << "x" << c.columns << " V" << c.vocabulary << " P" << c.positions << " " << c.dropout;
}

class EmbeddingOnDevice : public ::testing::TestWithParam<EmbeddingCase> {};

EmbeddingTables tables_of(const Tensors& t, const std::string& prefix) {
  return {t[prefix + "word"], t[prefix + "position"], t[prefix + "type"], t[prefix + "gamma"],
          t[prefix + "beta"]};
}

void add_tables(Twins& t, const EmbeddingCase& c, const std::string& prefix, bool gradients) {
  const std::pair<const char*, Shape> tables[] = {{"word", {c.vocabulary, c.columns}},
                                                  {"position", {c.positions + 2, c.columns}},
                                                  {"type", {c.types, c.columns}},
                                                  {"gamma", {c.columns}},
                                                  {"beta", {c.columns}}};
  std::uint64_t seed = gradients ? 20 : 10;
  for (const auto& [name, shape] : tables) {
    const OwnedTensor values = normal(DType::kF32, shape, seed++);
    if (gradients)
      t.updated(prefix + name, values);
    else
      t.input(prefix + name, values);
  }
}

TEST_P(EmbeddingOnDevice, forward_and_backward_are_the_hosts) {
  const EmbeddingCase& c = GetParam();
  Random random(5, Purpose::kTest, 0);
  std::vector<std::int32_t> ids, types, positions;
  for (std::int64_t token = 0; token < c.tokens; ++token) {
    // Half of the tokens are one word, so that its segment is much longer than a chunk.
    const std::uint64_t word =
        random.below(2) == 0 ? 3 : random.below(static_cast<std::uint64_t>(c.vocabulary));
    ids.push_back(static_cast<std::int32_t>(word));
    types.push_back(static_cast<std::int32_t>(random.below(static_cast<std::uint64_t>(c.types))));
    positions.push_back(static_cast<std::int32_t>(token % c.positions));
  }
  const Dropout dropout{.probability = c.dropout, .seed = 9, .site = 0};
  for (const DType type : kDeviceTypes) {
    Twins t(c.shift);
    add_keys(t, c.tokens);
    t.integers("ids", ids);
    t.integers("types", types);
    t.integers("token_positions", positions);
    t.input("d_y", normal(type, {c.tokens, c.columns}, 2));
    add_tables(t, c, "", false);
    add_tables(t, c, "d_", true);
    t.output("y", type, {c.tokens, c.columns});
    t.output("stats", DType::kF32, {c.tokens, 2});
    t.scratch("d_sum", DType::kF32, {c.tokens, c.columns});
    t.expect_alike(twin_tolerance(type), [&](Context& context, const Tensors& x) {
      const EmbeddingInputs inputs{x["ids"], x["types"], x["token_positions"]};
      embedding_forward(context, {.inputs = inputs,
                                  .tables = tables_of(x, ""),
                                  .dropout = dropout,
                                  .keys = keys_of(x),
                                  .stats = x["stats"],
                                  .y = x["y"]});
      embedding_backward(context, {.inputs = inputs,
                                   .tables = tables_of(x, ""),
                                   .dropout = dropout,
                                   .keys = keys_of(x),
                                   .stats = x["stats"],
                                   .d_y = x["d_y"],
                                   .d_sum = x["d_sum"],
                                   .gradients = tables_of(x, "d_"),
                                   .pad_id = c.pad_id});
    });
  }
}

INSTANTIATE_TEST_SUITE_P(
    Cases, EmbeddingOnDevice,
    ::testing::Values(EmbeddingCase{1, 8, 5, 4, 2, 0}, EmbeddingCase{31, 7, 40, 9, 1, 0.2},
                      EmbeddingCase{32, 24, 40, 9, 2, 0, 3}, EmbeddingCase{33, 24, 300, 70, 2, 0.1, 7},
                      EmbeddingCase{257, 40, 70000, 65, 3, 0.1, 1}, EmbeddingCase{2600, 8, 600, 512, 2, 0.1},
                      EmbeddingCase{70, 304, 9, 33, 2, 0.1, 3},
                      EmbeddingCase{41, 16, 20, 41, 2, 0.1, -1, 1}));

}  // namespace
}  // namespace nystrom::testing
