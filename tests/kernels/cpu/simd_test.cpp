// The shared functions of one number, as the compiler's baseline has them.
#define HWY_DISABLE_PCLMUL_AES
#include "kernels/cpu/simd-inl.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace nystrom {
namespace {

using HWY_NAMESPACE::fast_exp;
using HWY_NAMESPACE::normal_cdf;

double ulps(float computed, double exact) {
  const double ulp = std::ldexp(1.0, std::max(std::ilogb(exact), -126) - 23);
  return std::abs(static_cast<double>(computed) - exact) / ulp;
}

TEST(FastExp, is_within_an_ulp_and_a_tenth_where_floats_are_normal) {
  for (int i = 0; i <= 2'000'000; ++i) {
    const float x = -87.3F + 175.3F * static_cast<float>(i) / 2e6F;
    ASSERT_LT(ulps(fast_exp(x), std::exp(static_cast<double>(x))), 1.1) << x;
  }
}

TEST(FastExp, ends_in_zero_and_hands_on_nan) {
  EXPECT_EQ(fast_exp(-std::numeric_limits<float>::infinity()), 0);
  EXPECT_EQ(fast_exp(-3e38F), 0);
  EXPECT_EQ(fast_exp(-87.31F), 0);
  EXPECT_EQ(fast_exp(0.0F), 1);
  EXPECT_TRUE(std::isnan(fast_exp(std::numeric_limits<float>::quiet_NaN())));
}

TEST(NormalCdf, is_near_its_rounding_and_right_in_the_tail) {
  for (int i = 0; i <= 100'000; ++i) {
    const float x = -9 + 18 * static_cast<float>(i) / 1e5F;
    const double exact = 0.5 * std::erfc(-static_cast<double>(x) / std::sqrt(2.0));
    const double computed = static_cast<double>(normal_cdf(x, fast_exp(-0.5F * x * x)));
    ASSERT_NEAR(computed, exact, 1e-7) << x;
    ASSERT_NEAR(computed, exact, 4e-6 * exact) << x;  // the rounding of x^2 / 2 in the exponent
  }
}

TEST(StoreBF16, rounds_as_the_type_s_constructor_does) {
  for (const float x : {1.00390625F, 1.01171875F, -2.5F, 3.3e38F, 1e-40F,
                        std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    BF16 stored{};
    HWY_NAMESPACE::store(stored, x);
    EXPECT_EQ(stored.bits, BF16(x).bits) << x;
  }
}

}  // namespace
}  // namespace nystrom
