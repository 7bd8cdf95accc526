#include "kernels/cpu/attention/tile_gemm.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "hwy/targets.h"
#include "kernels/core/philox.h"

namespace nystrom::testing {
namespace {

using Index = std::int64_t;

template <class C>
std::vector<C> random(Index count, std::uint64_t seed) {
  std::vector<C> values(static_cast<std::size_t>(count));
  Random draws(seed, Purpose::kTest, 0);
  for (C& x : values) x = static_cast<C>(draws.normal());
  return values;
}

template <class C>
void check(Index m, Index n, Index k, bool a_transposed, bool accumulate, C tolerance) {
  const Index row = padded(n) + kTilePad;
  const std::vector<C> a = random<C>(m * k, 1), b = random<C>(k * row, 2), before = random<C>(m * row, 3);
  std::vector<C> c = before;
  SmallGemm<C> gemm{m,        n,   k,        a.data(), a_transposed ? 1 : k, a_transposed ? m : 1,
                    b.data(), row, c.data(), row};
  gemm.alpha = C(-0.5);
  gemm.accumulate = accumulate;
  small_gemm(gemm);
  for (Index i = 0; i < m; ++i)
    for (Index j = 0; j < row; ++j) {
      const auto at = static_cast<std::size_t>(i * row + j);
      double expected = static_cast<double>(before[at]);
      if (j < padded(n)) {
        double sum = 0;
        for (Index p = 0; p < k; ++p)
          sum += static_cast<double>(a[static_cast<std::size_t>(a_transposed ? p * m + i : i * k + p)]) *
                 static_cast<double>(b[static_cast<std::size_t>(p * row + j)]);
        expected = (accumulate ? expected : 0) - 0.5 * sum;
      }
      ASSERT_NEAR(static_cast<double>(c[at]), expected, static_cast<double>(tolerance))
          << i << " " << j << " of " << m << " " << n << " " << k;
    }
}

void check_all() {
  for (const Index m : {1, 5, 6, 13, 64})
    for (const Index n : {1, 16, 40, 64, 70})
      for (const Index k : {1, 7, 64})
        for (const bool transposed : {false, true}) {
          check<float>(m, n, k, transposed, transposed, 2e-5F);
          check<double>(m, n, k, transposed, !transposed, 1e-13);
        }
}

TEST(SmallGemm, multiplies_every_shape_and_leaves_what_is_beyond_the_padding) {
  check_all();
}

TEST(SmallGemm, does_the_same_without_avx512) {
  hwy::DisableTargets(~std::int64_t{HWY_AVX2});
  check_all();
  hwy::DisableTargets(0);
}

}  // namespace
}  // namespace nystrom::testing
