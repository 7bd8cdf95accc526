// Matrix products of our own against sums in double precision, and what their bits do not depend on.

#include <cstring>
#include <tuple>

#include "kernels/cpu/matmul_bf16.h"
#include "kernels/matmul.h"
#include "kernels/tensor/cpu_features.h"
#include "kernels/units.h"
#include "op_support.h"

namespace nystrom::testing {
namespace {

struct Case {
  std::int64_t m, n, k;
  bool transpose_a, transpose_b, bias, accumulate;
};

void PrintTo(const Case& c, std::ostream* to) {
  *to << c.m << " x " << c.n << " x " << c.k << (c.transpose_a ? " a transposed" : "")
      << (c.transpose_b ? " b transposed" : "") << (c.bias ? " bias" : "") << (c.accumulate ? " added" : "");
}

/// What is multiplied, and what the results are.
struct Types {
  DType in, out;
};

void PrintTo(const Types& types, std::ostream* to) {
  *to << name_of(types.in) << " to " << name_of(types.out);
}

OwnedTensor uneven(DType type, Shape shape, std::uint64_t seed) {
  OwnedTensor out(type, shape);
  Random random(seed, Purpose::kTest, 0);
  for (std::int64_t i = 0; i < shape.numel(); ++i) set(out, i, random.normal());
  return out;
}

/// Operands of a case, and c with what was there before.
struct Operands {
  Case sizes;
  OwnedTensor a, b, bias, before;

  Operands(const Case& s, const Types& types)
      : sizes(s),
        a(uneven(types.in, s.transpose_a ? Shape{s.k, s.m} : Shape{s.m, s.k}, 1)),
        b(uneven(types.in, s.transpose_b ? Shape{s.n, s.k} : Shape{s.k, s.n}, 2)),
        bias(uneven(DType::kF32, {s.n}, 3)),
        before(uneven(types.out, {s.m, s.n}, 4)) {}

  [[nodiscard]] OwnedTensor product(int threads) const { return product_by(matmul, threads); }
  [[nodiscard]] OwnedTensor product_by(void (*implementation)(Context&, const Matmul&), int threads) const {
    Context context(threads);
    OwnedTensor c(before.view().dtype, {sizes.m, sizes.n});
    std::memcpy(c.view().address, before.view().address, c.view().bytes());
    implementation(context, of_rows(a, c));
    return c;
  }
  [[nodiscard]] Matmul of_rows(const Tensor& rows, const Tensor& c) const {
    return {.a = rows,
            .b = b,
            .transpose_a = sizes.transpose_a,
            .transpose_b = sizes.transpose_b,
            .bias = sizes.bias ? bias.view() : Tensor{},
            .c = c,
            .accumulate = sizes.accumulate};
  }
  [[nodiscard]] OwnedTensor in_double() const {
    OwnedTensor c(DType::kF64, {sizes.m, sizes.n});
    const auto at_a = [&](std::int64_t i, std::int64_t p) {
      return value(a, sizes.transpose_a ? p * sizes.m + i : i * sizes.k + p);
    };
    const auto at_b = [&](std::int64_t p, std::int64_t j) {
      return value(b, sizes.transpose_b ? j * sizes.k + p : p * sizes.n + j);
    };
    for (std::int64_t i = 0; i < sizes.m; ++i)
      for (std::int64_t j = 0; j < sizes.n; ++j) {
        double sum = sizes.bias ? value(bias, j) : 0;
        if (sizes.accumulate) sum += value(before, i * sizes.n + j);
        for (std::int64_t p = 0; p < sizes.k; ++p) sum += at_a(i, p) * at_b(p, j);
        set(c, i * sizes.n + j, sum);
      }
    return c;
  }
  /// Between a result that is rounded once and the sums in double precision.
  [[nodiscard]] double allowed() const { return before.view().dtype == DType::kBF16 ? 2.5e-3 : 1e-6; }
};

class Products : public ::testing::TestWithParam<std::tuple<Types, Case>> {
 protected:
  [[nodiscard]] static Operands operands() { return {std::get<1>(GetParam()), std::get<0>(GetParam())}; }
};

TEST_P(Products, agree_with_sums_in_double_precision) {
  const Operands given = operands();
  EXPECT_LT(distance(given.product(2), given.in_double()), given.allowed());
}

TEST_P(Products, have_the_same_bits_for_any_thread_count) {
  const Operands given = operands();
  const OwnedTensor one = given.product(1);
  for (const int threads : kThreadCounts) EXPECT_TRUE(same_bits(one, given.product(threads))) << threads;
}

class ProductsInBf16 : public Products {};

// Each implementation, of which matmul() dispatches to one.
TEST_P(ProductsInBf16, agree_by_each_implementation) {
  const Operands given = operands();
  const OwnedTensor expected = given.in_double();
  EXPECT_LT(distance(given.product_by(matmul_bf16_by_f32, 2), expected), given.allowed());
  EXPECT_LT(distance(given.product_by(matmul_bf16_by_onednn, 2), expected), given.allowed());
  if (CpuFeatures::detect().avx512_bf16) {
    EXPECT_LT(distance(given.product_by(matmul_bf16_by_avx512, 2), expected), given.allowed());
    EXPECT_LT(distance(given.product_by(matmul_bf16_by_emulated_amx, 2), expected), given.allowed());
  }
}

/// Of the products whose first operand has its rows side by side.
class ProductsOfRows : public Products {};

// One row at a time: neither the rows around it nor its place change its bits.
TEST_P(ProductsOfRows, do_not_depend_on_the_other_rows) {
  const Operands given = operands();
  if (given.a.view().dtype == DType::kBF16 && bf16_matmul().name == "oneDNN")
    GTEST_SKIP() << "oneDNN multiplies here, which sums one row in another order";
  const OwnedTensor all = given.product(3);
  Context context(2);
  for (std::int64_t row = 0; row < given.sizes.m; row += 1 + given.sizes.m / 5) {
    OwnedTensor c(all.view().dtype, {1, given.sizes.n});
    std::memcpy(c.view().address, given.before.view().rows(row, 1).address, c.view().bytes());
    matmul(context, given.of_rows(given.a.view().rows(row, 1), c));
    EXPECT_TRUE(same_bits(c, all.view().rows(row, 1))) << row;
  }
}

// Sizes around the tiles (14 or 6 rows, 32 or 16 columns), the blocks of k (384 words) and what is packed at
// a time; odd k, of which the last number of bf16 has no pair.
constexpr Case kOfRows[] = {
    {1, 1, 1, false, false, false, false},      {5, 3, 2, false, true, true, false},
    {7, 33, 385, false, false, false, true},    {29, 65, 800, false, true, true, false},
    {130, 257, 769, false, true, false, false}, {97, 300, 1200, false, false, true, false},
    {700, 520, 64, false, true, true, false},   {2100, 40, 33, false, true, true, false},
    {64, 1, 1024, false, true, true, false},    {513, 270, 1001, false, false, false, true},
    {1, 1000, 768, false, true, true, false}};
constexpr Case kOfColumns[] = {{1, 1, 1, true, true, true, false},
                               {14, 32, 384, true, false, false, true},
                               {15, 31, 383, true, true, false, true},
                               {333, 77, 401, true, false, false, true},
                               {1500, 600, 7, true, false, false, true}};
constexpr Types kTypes[] = {
    {DType::kF32, DType::kF32}, {DType::kBF16, DType::kBF16}, {DType::kBF16, DType::kF32}};
constexpr Types kOfBf16[] = {{DType::kBF16, DType::kBF16}, {DType::kBF16, DType::kF32}};
INSTANTIATE_TEST_SUITE_P(Sizes, Products,
                         ::testing::Combine(::testing::ValuesIn(kTypes), ::testing::ValuesIn(kOfRows)));
INSTANTIATE_TEST_SUITE_P(TransposedSizes, Products,
                         ::testing::Combine(::testing::ValuesIn(kTypes), ::testing::ValuesIn(kOfColumns)));
INSTANTIATE_TEST_SUITE_P(Sizes, ProductsInBf16,
                         ::testing::Combine(::testing::ValuesIn(kOfBf16), ::testing::ValuesIn(kOfRows)));
INSTANTIATE_TEST_SUITE_P(TransposedSizes, ProductsInBf16,
                         ::testing::Combine(::testing::ValuesIn(kOfBf16), ::testing::ValuesIn(kOfColumns)));
INSTANTIATE_TEST_SUITE_P(Sizes, ProductsOfRows,
                         ::testing::Combine(::testing::ValuesIn(kTypes), ::testing::ValuesIn(kOfRows)));

void multiply_what_is_not_finite(DType type) {
  Context context(1);
  const OwnedTensor a(type, {2, 1}), b(type, {1, 2}), c(type, {2, 2});
  set(a, 0, 1);
  set(a, 1, std::numeric_limits<double>::infinity());
  set(b, 0, std::numeric_limits<double>::quiet_NaN());
  set(b, 1, 2);
  matmul(context, {.a = a, .b = b, .c = c});
  EXPECT_TRUE(std::isnan(value(c, 0)));
  EXPECT_EQ(value(c, 1), 2);
  EXPECT_TRUE(std::isinf(value(c, 3)));
}
TEST(NotFinite, products_are_as_they_come) {
  multiply_what_is_not_finite(DType::kF32);
  multiply_what_is_not_finite(DType::kBF16);
}

TEST(Units, have_a_rate_where_there_are_instructions) {
  Context context(2);
  EXPECT_GT(unit_flops(context, DType::kF32), 0);
  EXPECT_EQ(unit_flops(context, DType::kBF16) > 0, CpuFeatures::detect().avx512_bf16);
}

// Rounded results of a longer k than the kernels sum at once.
TEST(LongProducts, are_rounded_once) {
  const Operands given({3, 40, 7001, false, true, false, true}, {DType::kBF16, DType::kBF16});
  EXPECT_LT(distance(given.product(2), given.in_double()), given.allowed());
}

// What lies beyond the sizes stays as it is, and is not read.
TEST(Products, touch_nothing_beyond_their_rows_and_columns) {
  for (const Types types : kTypes) {
    const Operands given({15, 37, 33, false, true, true, false}, types);
    OwnedTensor c(types.out, {16, 37});
    for (std::int64_t i = 0; i < c.view().numel(); ++i) set(c, i, 7);
    Context context(2);
    matmul(context, given.of_rows(given.a, c.view().rows(0, 15)));
    EXPECT_TRUE(same_bits(c.view().rows(0, 15), given.product(1)));
    for (std::int64_t j = 0; j < 37; ++j) EXPECT_EQ(value(c, 15 * 37 + j), 7) << j;
  }
}

}  // namespace
}  // namespace nystrom::testing
