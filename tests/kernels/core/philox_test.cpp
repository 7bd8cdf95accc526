#include "kernels/core/philox.h"

#include <gtest/gtest.h>

#include <set>
#include <vector>

namespace nystrom {
namespace {

// Known answers of the Random123 library for philox4x32 with ten rounds.
TEST(Philox, gives_the_known_answers_of_its_authors) {
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}),
            (PhiloxCounter{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  constexpr std::uint32_t kOnes = 0xffffffff;
  EXPECT_EQ(philox4x32({kOnes, kOnes, kOnes, kOnes}, {kOnes, kOnes}),
            (PhiloxCounter{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (PhiloxCounter{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Philox, purposes_sites_samples_and_blocks_have_streams_of_their_own) {
  std::set<PhiloxCounter> seen;
  for (std::uint32_t site : {0U, 1U, 300U})
    for (std::uint64_t sample : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{1} << 40U})
      for (std::uint64_t block : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{1} << 33U})
        for (Purpose purpose : {Purpose::kMasking, Purpose::kDropout})
          seen.insert(draw(7, purpose, site, sample, block));
  EXPECT_EQ(seen.size(), 3U * 3U * 3U * 2U);
}

TEST(Random, below_stays_below_and_reaches_every_value) {
  Random random(3, Purpose::kTest, 0);
  std::vector<int> counts(7);
  for (int i = 0; i < 7000; ++i) ++counts.at(random.below(7));
  for (int count : counts) EXPECT_NEAR(count, 1000, 150);
}

TEST(Random, normal_has_mean_zero_and_variance_one) {
  Random random(4, Purpose::kTest, 0);
  double sum = 0, squares = 0;
  constexpr int kDraws = 20000;
  for (int i = 0; i < kDraws; ++i) {
    const double x = random.normal();
    sum += x;
    squares += x * x;
  }
  EXPECT_NEAR(sum / kDraws, 0, 0.03);
  EXPECT_NEAR(squares / kDraws, 1, 0.04);
}

}  // namespace
}  // namespace nystrom
