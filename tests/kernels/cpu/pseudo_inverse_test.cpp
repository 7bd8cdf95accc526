#include "kernels/cpu/attention/pseudo_inverse.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "gradient_check.h"
#include "kernels/core/philox.h"
#include "kernels/tensor/buffer.h"

namespace nystrom::testing {
namespace {

/// A [m, m] softmax with a heavy diagonal, in a padded tile.
template <class C>
class Matrix {
 public:
  Matrix(std::int64_t m, std::uint64_t seed) : m_(m), values_(dtype_of<C>(), {m, padded(m)}) {
    Random draws(seed, Purpose::kTest, 0);
    for (std::int64_t i = 0; i < m; ++i)
      for (std::int64_t j = 0; j < m; ++j)
        tile().row(i)[j] = static_cast<C>(draws.normal() + (i == j ? 3 : 0));
    std::vector<C> stats(static_cast<std::size_t>(2 * m));
    tile_ops<C>().row_softmax(tile(), m, m, stats.data(), 2);
  }
  explicit Matrix(std::int64_t m) : m_(m), values_(dtype_of<C>(), {m, padded(m)}) {}
  [[nodiscard]] Tile<C> tile() const { return {values_.view().template data<C>(), padded(m_)}; }
  [[nodiscard]] const Tensor& view() const { return values_.view(); }

 private:
  std::int64_t m_;
  OwnedTensor values_;
};

template <class C>
C residual_after(std::int64_t m, int iterations) {
  const Matrix<C> a(m, 3), z(m);
  std::vector<C> scratch(static_cast<std::size_t>(pseudo_inverse_scratch(m)));
  pseudo_inverse(a.tile(), m, one_norm(a.tile(), m).value, iterations, scratch.data(), z.tile());
  return pseudo_inverse_residual(a.tile(), z.tile(), m, scratch.data());
}

TEST(PseudoInverse, converges_to_the_inverse) {
  for (const std::int64_t m : {1, 5, 16, 37, 64}) {
    EXPECT_LT(residual_after<double>(m, 20), 1e-12) << m;
    EXPECT_LT(residual_after<float>(m, 20), 1e-5F) << m;
  }
  EXPECT_LT(residual_after<double>(64, 6), residual_after<double>(64, 3));
}

TEST(PseudoInverse, first_iterate_is_the_scaled_transpose) {
  const Matrix<double> a(5, 4), z(5);
  std::vector<double> scratch(static_cast<std::size_t>(pseudo_inverse_scratch(5)));
  pseudo_inverse(a.tile(), 5, 2.0, 0, scratch.data(), z.tile());
  EXPECT_DOUBLE_EQ(z.tile().row(1)[3], a.tile().row(3)[1] / 2);
}

TEST(PseudoInverse, one_norm_is_the_largest_column_sum) {
  const Matrix<double> a(19);
  for (std::int64_t i = 0; i < 19; ++i) a.tile().row(i)[i] = 1;
  a.tile().row(2)[17] = 0.5;
  EXPECT_DOUBLE_EQ(one_norm(a.tile(), 19).value, 1.5);
  EXPECT_EQ(one_norm(a.tile(), 19).column, 17);
}

void check_gradient(std::int64_t m, int iterations, bool through_scale) {
  const Matrix<double> a(m, 5), z(m), weights(m, 6), d_z_t(m), d_a(m);
  std::vector<double> scratch(static_cast<std::size_t>(pseudo_inverse_backward_scratch(m, iterations)));
  const double fixed = one_norm(a.tile(), m).value;
  const auto loss = [&] {
    pseudo_inverse(a.tile(), m, through_scale ? one_norm(a.tile(), m).value : fixed, iterations,
                   scratch.data(), z.tile());
    double sum = 0;
    for (std::int64_t i = 0; i < m * padded(m); ++i) sum += z.tile().data[i] * weights.tile().data[i];
    return sum;
  };
  tile_ops<double>().transpose(weights.tile(), m, m, 1.0, d_z_t.tile());
  std::vector<double> big(static_cast<std::size_t>(pseudo_inverse_backward_scratch(m, iterations)));
  const double d_scale =
      pseudo_inverse_backward(a.tile(), m, fixed, iterations, d_z_t.tile(), big.data(), d_a.tile());
  if (through_scale)
    for (std::int64_t i = 0; i < m; ++i) d_a.tile().row(i)[one_norm(a.tile(), m).column] += d_scale;
  // Only the M x M part is a variable: the padding must stay zero.
  for (std::int64_t i = 0; i < m; ++i)
    expect_gradient("row", Tensor(a.tile().row(i), DType::kF64, {m}),
                    Tensor(d_a.tile().row(i), DType::kF64, {m}), loss, 1e-5, m, 1e-6);
}

TEST(PseudoInverse, gradient_is_that_of_the_iteration) {
  check_gradient(5, 6, false);
  check_gradient(17, 3, false);
}

TEST(PseudoInverse, gradient_flows_through_the_scale) {
  check_gradient(5, 6, true);
  check_gradient(9, 2, true);
  check_gradient(4, 1, true);
}

}  // namespace
}  // namespace nystrom::testing
