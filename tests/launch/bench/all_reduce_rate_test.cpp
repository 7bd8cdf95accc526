// What doctor reports of the ranks' link, from times that the test makes up.

#include "launch/bench/all_reduce_rate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

namespace nystrom {
namespace {

/// Four ranks, the third of which takes the longest: 9 s for the first sums, then the given milliseconds.
class SlowRanks final : public Comm {
 public:
  static constexpr int kRanks = 4;

  [[nodiscard]] int rank() const override { return 0; }
  [[nodiscard]] int ranks() const override { return kRanks; }
  [[nodiscard]] int local_rank() const override { return 0; }
  [[nodiscard]] int local_ranks() const override { return kRanks; }
  [[nodiscard]] std::string_view kind() const override { return "slow"; }
  [[nodiscard]] Ticket start_all_reduce(const Tensor& values, std::string_view) override {
    ++sums;
    largest = std::max(largest, values.bytes());
    return 0;
  }
  void wait(Ticket) override {}
  void broadcast(std::span<std::byte>, int, std::string_view) override {}
  void all_gather(std::span<const std::byte> mine, std::span<std::byte> all, std::string_view) override {
    ASSERT_EQ(mine.size(), sizeof(double));
    ASSERT_EQ(all.size(), kRanks * sizeof(double));
    constexpr std::array kMilliseconds{9000.0, 9000.0, 7.0, 1.0, 6.0, 4.0, 2.0, 5.0, 3.0};
    const std::array<double, kRanks> times{
        0, 0, kMilliseconds[static_cast<std::size_t>(gathered++) % kMilliseconds.size()] / 1e3, 0};
    std::memcpy(all.data(), times.data(), all.size());
  }
  void all_gather_shards(const Tensor&, std::span<const std::int64_t>, std::string_view) override {}
  void gather_shards(const Tensor&, const Tensor&, std::span<const std::int64_t>, std::string_view) override {
  }
  void barrier(std::string_view) override {}
  void abort(int) noexcept override {}

  int sums = 0, gathered = 0;
  std::size_t largest = 0;
};

TEST(AllReduceRate, is_that_of_the_slowest_rank_in_the_median_sum_without_the_first) {
  SlowRanks ranks;
  const auto rates = measure_all_reduce(Device(), ranks, {1 << 20, 1 << 22}, {});
  ASSERT_EQ(rates.size(), 2U);
  EXPECT_EQ(rates[0].bytes, 1 << 20);
  EXPECT_EQ(rates[1].bytes, 1 << 22);
  EXPECT_EQ(ranks.largest, std::size_t{1} << 22U);
  EXPECT_EQ(ranks.sums, 18);
  for (const AllReduceRate& rate : rates) {
    EXPECT_EQ(rate.kind, "slow");
    EXPECT_DOUBLE_EQ(rate.seconds, 4e-3);
    // In a ring each of 4 ranks sends 3/4 of the values to add them up, and 3/4 to hand the sums on.
    EXPECT_DOUBLE_EQ(rate.bus_bytes, 1.5 * static_cast<double>(rate.bytes) / 4e-3);
  }
}

}  // namespace
}  // namespace nystrom
