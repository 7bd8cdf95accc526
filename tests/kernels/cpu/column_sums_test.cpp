// The order in which sums over rows are added up, and that no thread waits for another's rows. As in
// simd_test.cpp the code under test is that of the compiler's baseline.
#define HWY_DISABLE_PCLMUL_AES
#include "kernels/cpu/column_sums-inl.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <thread>
#include <vector>

namespace nystrom {
namespace {

using HWY_NAMESPACE::ColumnPartials;
using HWY_NAMESPACE::kRowBlock;
using HWY_NAMESPACE::sum_columns;

/// A number of a row and column, of one of two outputs; sums of such round.
float number(std::int64_t row, std::int64_t column, int output) {
  const std::int64_t mixed = (row * 7919 + column * 104729 + output * 15485863) % 10007;
  return static_cast<float>(mixed) / 977.0F - 5.0F;
}

struct Sums {
  std::vector<float> first, second;

  explicit Sums(std::int64_t columns) : first(static_cast<std::size_t>(columns), 0.5F), second(first) {}
};

/// The definition: each block of 32 rows on its own, from zero; blocks added to the output in their order.
Sums by_definition(std::int64_t rows, std::int64_t columns) {
  Sums sums(columns);
  for (std::int64_t c = 0; c < columns; ++c)
    for (std::int64_t begin = 0; begin < rows; begin += 32) {
      float first = 0, second = 0;
      for (std::int64_t r = begin; r < std::min(begin + 32, rows); ++r) {
        first += number(r, c, 0);
        second += number(r, c, 1);
      }
      sums.first[static_cast<std::size_t>(c)] += first;
      sums.second[static_cast<std::size_t>(c)] += second;
    }
  return sums;
}

Sums by_op(int threads, std::int64_t rows, std::int64_t columns) {
  Context context(threads);
  Sums sums(columns);
  sum_columns<float, 2>(
      context, rows, columns, {sums.first.data(), sums.second.data()},
      [](std::int64_t row, std::int64_t begin, std::int64_t count, ColumnPartials<float, 2>& partials) {
        for (std::int64_t c = 0; c < count; ++c) {
          partials.values[0][c] += number(row, begin + c, 0);
          partials.values[1][c] += number(row, begin + c, 1);
        }
      });
  return sums;
}

void expect_same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  EXPECT_EQ(std::memcmp(a.data(), b.data(), a.size() * sizeof(float)), 0);
}

// The last two need more than one column tile, and more than one filling of the workspace.
TEST(SumColumns, add_in_one_order_on_any_thread_count) {
  for (const auto& [rows, columns] : std::vector<std::pair<std::int64_t, std::int64_t>>{
           {0, 3}, {1, 1}, {31, 17}, {32, 17}, {33, 600}, {777, 1100}, {65, 8205}, {1100, 8192}}) {
    const Sums expected = by_definition(rows, columns);
    for (const int threads : {1, 2, 3, 4, 7}) {
      SCOPED_TRACE(fmt::format("{} by {} on {} threads", rows, columns, threads));
      const Sums sums = by_op(threads, rows, columns);
      expect_same_bits(sums.first, expected.first);
      expect_same_bits(sums.second, expected.second);
    }
  }
}

TEST(SumColumns, an_output_that_is_not_wanted_is_skipped) {
  for (const int threads : {1, 3}) {
    Context context(threads);
    Sums sums(5);
    sum_columns<float, 2>(
        context, 100, 5, {nullptr, sums.second.data()},
        [](std::int64_t, std::int64_t, std::int64_t count, ColumnPartials<float, 2>& partials) {
          for (std::int64_t c = 0; c < count; ++c) partials.values[1][c] += 1;
        });
    EXPECT_EQ(sums.second, std::vector<float>(5, 100.5F));
  }
}

// The first row is not finished before the rows of all other blocks are: a hand-over between threads in the
// order of the blocks would never end.
TEST(SumColumns, no_thread_waits_for_the_block_of_another) {
  Context context(2);
  constexpr std::int64_t kBlocks = 24;
  std::atomic<std::int64_t> done = 0;
  std::atomic<bool> in_time = true;
  std::vector<float> sum(1);
  sum_columns<float, 1>(
      context, kBlocks * kRowBlock, 1, {sum.data()},
      [&](std::int64_t row, std::int64_t, std::int64_t, ColumnPartials<float, 1>& partials) {
        partials.values[0][0] += 1;
        if (row >= kRowBlock) ++done;
        if (row != kRowBlock - 1) return;
        const auto latest = std::chrono::steady_clock::now() + std::chrono::minutes(2);
        // The chunk of this block has others that nobody can take from it.
        while (done < (kBlocks - kBlocks / 8) * kRowBlock && in_time) {
          std::this_thread::yield();
          in_time = std::chrono::steady_clock::now() < latest;
        }
      });
  EXPECT_TRUE(in_time) << done;
  EXPECT_EQ(sum[0], static_cast<float>(kBlocks * kRowBlock));
}

}  // namespace
}  // namespace nystrom
