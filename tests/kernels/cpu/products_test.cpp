// Matrix products of our own against sums in double precision, and what their bits do not depend on.

#include <cstring>

#include "kernels/matmul.h"
#include "op_support.h"

namespace nystrom::testing {
namespace {

struct Case {
  std::int64_t m, n, k;
  bool transpose_a, transpose_b, bias, accumulate;
};

OwnedTensor uneven(Shape shape, std::uint64_t seed) {
  OwnedTensor out(DType::kF32, shape);
  Random random(seed, Purpose::kTest, 0);
  for (std::int64_t i = 0; i < shape.numel(); ++i) set(out, i, random.normal());
  return out;
}

/// Operands of a case, and c with what was there before.
struct Operands {
  Case sizes;
  OwnedTensor a, b, bias, before;

  explicit Operands(const Case& s)
      : sizes(s),
        a(uneven(s.transpose_a ? Shape{s.k, s.m} : Shape{s.m, s.k}, 1)),
        b(uneven(s.transpose_b ? Shape{s.n, s.k} : Shape{s.k, s.n}, 2)),
        bias(uneven({s.n}, 3)),
        before(uneven({s.m, s.n}, 4)) {}

  [[nodiscard]] OwnedTensor product(int threads) const {
    Context context(threads);
    OwnedTensor c(DType::kF32, {sizes.m, sizes.n});
    std::memcpy(c.view().address, before.view().address, c.view().bytes());
    multiply(context, a, c);
    return c;
  }
  void multiply(Context& context, const Tensor& rows, const Tensor& c) const {
    matmul(context, {.a = rows,
                     .b = b,
                     .transpose_a = sizes.transpose_a,
                     .transpose_b = sizes.transpose_b,
                     .bias = sizes.bias ? bias.view() : Tensor{},
                     .c = c,
                     .accumulate = sizes.accumulate});
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
};

class Products : public ::testing::TestWithParam<Case> {};

TEST_P(Products, agree_with_sums_in_double_precision) {
  const Operands operands(GetParam());
  EXPECT_LT(distance(operands.product(2), operands.in_double()), 1e-6);
}

TEST_P(Products, have_the_same_bits_for_any_thread_count) {
  const Operands operands(GetParam());
  const OwnedTensor one = operands.product(1);
  for (const int threads : kThreadCounts) EXPECT_TRUE(same_bits(one, operands.product(threads))) << threads;
}

/// Of the products whose first operand has its rows side by side.
class ProductsOfRows : public ::testing::TestWithParam<Case> {};

// One row at a time: neither the rows around it nor its place change its bits.
TEST_P(ProductsOfRows, do_not_depend_on_the_other_rows) {
  const Operands operands(GetParam());
  const OwnedTensor all = operands.product(3);
  Context context(2);
  for (std::int64_t row = 0; row < operands.sizes.m; row += 1 + operands.sizes.m / 5) {
    OwnedTensor c(DType::kF32, {1, operands.sizes.n});
    std::memcpy(c.view().address, operands.before.view().rows(row, 1).address, c.view().bytes());
    operands.multiply(context, operands.a.view().rows(row, 1), c);
    EXPECT_TRUE(same_bits(c, all.view().rows(row, 1))) << row;
  }
}

// Sizes around the tiles (14 or 6 rows, 32 or 16 columns), the blocks of k (384) and what is packed at a
// time.
constexpr Case kOfRows[] = {
    {1, 1, 1, false, false, false, false},      {5, 3, 2, false, true, true, false},
    {7, 33, 385, false, false, false, true},    {29, 65, 800, false, true, true, false},
    {130, 257, 769, false, true, false, false}, {97, 300, 1200, false, false, true, false},
    {700, 520, 64, false, true, true, false},   {2100, 40, 33, false, true, true, false},
    {64, 1, 1024, false, true, true, false},    {1, 1000, 768, false, true, true, false}};
constexpr Case kOfColumns[] = {{1, 1, 1, true, true, true, false},
                               {14, 32, 384, true, false, false, true},
                               {15, 31, 383, true, true, false, true},
                               {333, 77, 401, true, false, false, true},
                               {1500, 600, 7, true, false, false, true}};
INSTANTIATE_TEST_SUITE_P(Sizes, Products, ::testing::ValuesIn(kOfRows));
INSTANTIATE_TEST_SUITE_P(TransposedSizes, Products, ::testing::ValuesIn(kOfColumns));
INSTANTIATE_TEST_SUITE_P(Sizes, ProductsOfRows, ::testing::ValuesIn(kOfRows));

TEST(Products, of_nothing_finite_are_as_they_come) {
  Context context(1);
  const auto a = tensor_of<float>({2, 1}, {1, std::numeric_limits<double>::infinity()});
  const auto b = tensor_of<float>({1, 2}, {std::numeric_limits<double>::quiet_NaN(), 2});
  OwnedTensor c(DType::kF32, {2, 2});
  matmul(context, {.a = a, .b = b, .c = c});
  EXPECT_TRUE(std::isnan(value(c, 0)));
  EXPECT_EQ(value(c, 1), 2);
  EXPECT_TRUE(std::isinf(value(c, 3)));
}

}  // namespace
}  // namespace nystrom::testing
