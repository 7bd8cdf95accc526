// Estimates of bench for GPUs that are not here.

#include "launch/bench/estimate.h"

#include <gtest/gtest.h>

namespace nystrom {
namespace {

TEST(Estimate, takes_each_op_at_the_slower_of_its_two_rates) {
  const GpuPeak gpu{"test", 100, 10, 20};
  const Profile profile{{"product", {.calls = 1, .seconds = 9, .flops = 500, .bytes = 20}},
                        {"copy", {.calls = 2, .seconds = 9, .flops = 1, .bytes = 30}},
                        {"mixed", {.calls = 1, .seconds = 9, .flops = 300, .fp32_flops = 100, .bytes = 30}}};
  EXPECT_DOUBLE_EQ(seconds_at_peak(profile, gpu), 5 + 3 + (2 + 5));
}

// The ridge of each roofline, FLOPs per byte: a bandwidth of another GPU would show here.
TEST(Estimate, has_the_rates_of_the_data_sheets) {
  const double ridges[] = {153, 295, 206, 281};
  ASSERT_EQ(kGpuPeaks.size(), std::size(ridges));
  for (std::size_t i = 0; i < kGpuPeaks.size(); ++i)
    EXPECT_NEAR(kGpuPeaks[i].bf16_flops / kGpuPeaks[i].memory_bytes, ridges[i], 0.5) << kGpuPeaks[i].name;
}

TEST(Estimate, of_a_time_is_never_zero_and_has_a_unit_that_suits_it) {
  const std::pair<double, const char*> cases[] = {
      {0, "less than 0.1 seconds"}, {0.26, "0.3 seconds"}, {59.4, "59.4 seconds"}, {75, "75 seconds"},
      {150, "2 minutes"},           {7000, "117 minutes"}, {7300, "2 hours"},      {172000, "48 hours"},
      {200000, "2 days"},           {8640000, "100 days"}, {119, "119 seconds"},
  };
  for (const auto& [seconds, text] : cases) EXPECT_EQ(rough_time(seconds), text) << seconds;
}

}  // namespace
}  // namespace nystrom
