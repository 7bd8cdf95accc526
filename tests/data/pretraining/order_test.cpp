#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>
#include <vector>

#include "data/pretraining/batch_builder.h"
#include "data/pretraining/permutation.h"

namespace nystrom {
namespace {

TEST(Permutation, visits_each_index_once) {
  for (std::uint64_t count : {1, 2, 3, 4, 5, 17, 100, 1000, 4097}) {
    const Permutation permutation(5, 0, count);
    std::vector<int> seen(count, 0);
    for (std::uint64_t i = 0; i < count; ++i) ++seen.at(permutation(i));
    EXPECT_EQ(seen, std::vector<int>(count, 1)) << count;
  }
}

TEST(Permutation, differs_between_epochs_and_seeds) {
  const Permutation a(5, 0, 1000), b(5, 1, 1000), c(6, 0, 1000);
  int same_epoch = 0, same_seed = 0;
  for (std::uint64_t i = 0; i < 1000; ++i) {
    same_epoch += a(i) == b(i);
    same_seed += a(i) == c(i);
  }
  EXPECT_LT(same_epoch, 10);  // one is expected
  EXPECT_LT(same_seed, 10);
}

// Over many epochs each index is equally often at the first position, and at the one after index 0.
TEST(Permutation, is_uniform_in_position_and_succession) {
  constexpr std::uint64_t kCount = 24, kEpochs = 24000;
  std::vector<double> first(kCount, 0), after(kCount, 0);
  for (std::uint64_t epoch = 0; epoch < kEpochs; ++epoch) {
    const Permutation permutation(9, epoch, kCount);
    ++first[permutation(0)];
    for (std::uint64_t i = 0; i + 1 < kCount; ++i)
      if (permutation(i) == 0) ++after[permutation(i + 1)];
  }
  const auto chi_squared = [](const std::vector<double>& counts, std::size_t from) {
    const double mean =
        std::accumulate(counts.begin(), counts.end(), 0.0) / static_cast<double>(counts.size() - from);
    double sum = 0;
    for (std::size_t i = from; i < counts.size(); ++i) sum += (counts[i] - mean) * (counts[i] - mean) / mean;
    return sum;
  };
  EXPECT_LT(chi_squared(first, 0), 55);  // 23 degrees of freedom: 49.7 in one of a thousand
  EXPECT_LT(chi_squared(after, 1), 55);
}

TEST(EpochOrder, of_blocks_visits_each_sample_once_and_few_blocks_at_a_time) {
  Blocks blocks{.begins = {0}, .window = 300};
  for (std::uint64_t i = 0; i < 57; ++i)
    blocks.begins.push_back(blocks.begins.back() + (i % 5 == 4 ? 13 : 100));
  const std::uint64_t count = blocks.begins.back();
  const EpochOrder order(3, 0, count, blocks), next(3, 1, count, blocks);
  std::vector<int> seen(count, 0);
  int same = 0;
  for (std::uint64_t begin = 0; begin < count; begin += 100) {
    std::set<std::size_t> used;
    for (std::uint64_t place = begin; place < std::min(begin + 100, count); ++place) {
      const std::uint64_t sample = order(place);
      ++seen.at(sample);
      same += sample == next(place);
      used.insert(static_cast<std::size_t>(
          std::upper_bound(blocks.begins.begin(), blocks.begins.end(), sample) - blocks.begins.begin()));
    }
    if (begin + 300 < count) {
      EXPECT_GE(used.size(), 2U);  // mixed
    }
    EXPECT_LE(used.size(), 14U);  // of 57: at most those of two windows
  }
  EXPECT_EQ(seen, std::vector<int>(count, 1));
  EXPECT_LT(same, 20);
}

TEST(RowsOfRank, are_contiguous_and_differ_by_at_most_one) {
  EXPECT_EQ(rows_of_rank(8, 0, 3), std::pair(std::int64_t{0}, std::int64_t{3}));
  EXPECT_EQ(rows_of_rank(8, 1, 3), std::pair(std::int64_t{3}, std::int64_t{6}));
  EXPECT_EQ(rows_of_rank(8, 2, 3), std::pair(std::int64_t{6}, std::int64_t{8}));
  EXPECT_EQ(rows_of_rank(2, 2, 3), std::pair(std::int64_t{2}, std::int64_t{2}));
}

}  // namespace
}  // namespace nystrom
