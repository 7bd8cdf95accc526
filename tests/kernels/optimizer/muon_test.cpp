#include "kernels/optimizer/muon.h"

#include <algorithm>
#include <utility>

#include "op_support.h"

namespace nystrom::testing {
namespace {

using Matrix = std::vector<std::vector<double>>;

Matrix matrix_of(const Tensor& x) {
  Matrix m(static_cast<std::size_t>(x.dim(0)), std::vector<double>(static_cast<std::size_t>(x.dim(1))));
  for (std::int64_t i = 0; i < x.numel(); ++i)
    m[static_cast<std::size_t>(i / x.dim(1))][static_cast<std::size_t>(i % x.dim(1))] = value(x, i);
  return m;
}

Matrix transposed(const Matrix& a) {
  Matrix t(a[0].size(), std::vector<double>(a.size()));
  for (std::size_t i = 0; i < a.size(); ++i)
    for (std::size_t j = 0; j < a[0].size(); ++j) t[j][i] = a[i][j];
  return t;
}

Matrix times(const Matrix& a, const Matrix& b) {
  Matrix c(a.size(), std::vector<double>(b[0].size()));
  for (std::size_t i = 0; i < a.size(); ++i)
    for (std::size_t k = 0; k < b.size(); ++k)
      for (std::size_t j = 0; j < b[0].size(); ++j) c[i][j] += a[i][k] * b[k][j];
  return c;
}

/// The definition, with A = x x^T whatever the shape.
Matrix orthogonalized(Matrix x, int steps) {
  double norm = 0;
  for (const auto& row : x)
    for (const double v : row) norm += v * v;
  for (auto& row : x)
    for (double& v : row) v /= std::max(std::sqrt(norm), 1e-7);
  for (int step = 0; step < steps; ++step) {
    const Matrix a = times(x, transposed(x)), ax = times(a, x), aax = times(a, ax);
    for (std::size_t i = 0; i < x.size(); ++i)
      for (std::size_t j = 0; j < x[0].size(); ++j)
        x[i][j] = 3.4445 * x[i][j] - 4.7750 * ax[i][j] + 2.0315 * aax[i][j];
  }
  return x;
}

double distance_to(const Tensor& x, const Matrix& reference) {
  double difference = 0, norm = 0;
  const Matrix ours = matrix_of(x);
  for (std::size_t i = 0; i < ours.size(); ++i)
    for (std::size_t j = 0; j < ours[0].size(); ++j) {
      difference += std::pow(ours[i][j] - reference[i][j], 2);
      norm += std::pow(reference[i][j], 2);
    }
  return std::sqrt(difference / norm);
}

class NewtonSchulz : public ::testing::TestWithParam<std::pair<int, int>> {
 protected:
  [[nodiscard]] Shape shape() const { return {GetParam().first, GetParam().second}; }
  [[nodiscard]] OwnedTensor workspace(DType type) const {
    return OwnedTensor(type, {newton_schulz_workspace(shape()[0], shape()[1])});
  }
};

TEST_P(NewtonSchulz, is_the_definition) {
  Context context(2);
  const OwnedTensor exact = normal(DType::kF64, shape(), 3), rounded = normal(DType::kF32, shape(), 3);
  const Matrix reference = orthogonalized(matrix_of(exact), 5);
  newton_schulz(context, exact, 5, workspace(DType::kF64));
  newton_schulz(context, rounded, 5, workspace(DType::kF32));
  EXPECT_LT(distance_to(exact, reference), 1e-12);
  EXPECT_LT(distance_to(rounded, reference), 2e-5);
}

TEST_P(NewtonSchulz, has_the_same_bits_for_any_thread_count) {
  Context one(1), three(3);
  const OwnedTensor a = normal(DType::kF32, shape(), 3), b = normal(DType::kF32, shape(), 3);
  newton_schulz(one, a, 5, workspace(DType::kF32));
  newton_schulz(three, b, 5, workspace(DType::kF32));
  EXPECT_TRUE(same_bits(a, b));
}

INSTANTIATE_TEST_SUITE_P(Shapes, NewtonSchulz,
                         ::testing::Values(std::pair{1, 1}, std::pair{1, 9}, std::pair{9, 1},
                                           std::pair{12, 12}, std::pair{70, 33}, std::pair{33, 70},
                                           std::pair{200, 136}, std::pair{130, 290}));

TEST(NewtonSchulz, of_nothing_is_nothing) {
  Context context(1);
  const OwnedTensor zero(DType::kF32, {4, 6}), workspace(DType::kF32, {newton_schulz_workspace(4, 6)});
  newton_schulz(context, zero, 5, workspace);
  for (const float x : zero.view().span<float>()) EXPECT_EQ(x, 0);
}

struct State {
  OwnedTensor w, g, b, copy, workspace;

  State(DType type, Shape shape)
      : w(normal(type, shape, 1)),
        g(normal(type, shape, 2)),
        b(type, shape),
        copy(DType::kBF16, shape),
        workspace(type, {muon_workspace(shape[0], shape[1])}) {}

  [[nodiscard]] Muon args(bool nesterov) const {
    return {.weights = w,
            .gradients = g,
            .buffer = b,
            .copy = copy,
            .momentum = 0.9,
            .nesterov = nesterov,
            .steps = 5,
            .learning_rate = 0.02,
            .scale = 1.5,
            .weight_decay = 0.1,
            .gradient_scale = 0.5,
            .workspace = workspace};
  }
};

TEST(Muon, follows_the_formula) {
  Context context(2);
  for (const bool nesterov : {true, false}) {
    const State state(DType::kF64, {24, 40});
    Matrix w = matrix_of(state.w), b(24, std::vector<double>(40));
    for (int step = 0; step < 3; ++step) {
      const Matrix g = matrix_of(state.g);
      Matrix u = b;
      for (std::size_t i = 0; i < 24; ++i)
        for (std::size_t j = 0; j < 40; ++j) {
          b[i][j] = 0.9 * b[i][j] + 0.1 * 0.5 * g[i][j];
          u[i][j] = nesterov ? 0.1 * 0.5 * g[i][j] + 0.9 * b[i][j] : b[i][j];
        }
      const Matrix o = orthogonalized(u, 5);
      for (std::size_t i = 0; i < 24; ++i)
        for (std::size_t j = 0; j < 40; ++j) w[i][j] -= 0.02 * 0.1 * w[i][j] + 0.02 * 1.5 * o[i][j];
      muon_step(context, state.args(nesterov));
      EXPECT_LT(distance_to(state.w, w), 1e-12);
      EXPECT_LT(distance_to(state.b, b), 1e-14);
      for (std::int64_t i = 0; i < 960; ++i)
        set(state.g, i, value(state.g, i) * static_cast<double>(i % 7 - 3));
    }
    for (std::int64_t i = 0; i < 960; ++i)
      ASSERT_EQ(state.copy.view().data<BF16>()[i].bits, BF16(static_cast<float>(value(state.w, i))).bits);
  }
}

TEST(Muon, a_factor_of_0_leaves_everything_as_it_was) {
  Context context(1);
  const State state(DType::kF32, {8, 8}), before(DType::kF32, {8, 8});
  const auto zero = tensor_of<double>({1}, {0});
  Muon args = state.args(true);
  args.factor = zero;
  muon_step(context, args);
  EXPECT_TRUE(same_bits(state.w, before.w));
  EXPECT_TRUE(same_bits(state.b, before.b));
}

}  // namespace
}  // namespace nystrom::testing
