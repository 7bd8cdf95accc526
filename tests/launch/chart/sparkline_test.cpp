#include "launch/chart/sparkline.h"

#include <gtest/gtest.h>

#include <limits>

namespace nystrom {
namespace {

TEST(Sparkline, goes_from_the_least_to_the_largest_mean) {
  EXPECT_EQ(sparkline({1, 2, 3, 4, 5, 6, 7, 8}, 8), "▁▂▃▄▅▆▇█");
  EXPECT_EQ(sparkline({1, 3, 7, 9}, 2), "▁█") << "means of pairs";
  EXPECT_EQ(sparkline({5, 5}, 10), "▁▁");
  EXPECT_EQ(sparkline({1, std::numeric_limits<double>::quiet_NaN(), 2}, 10), "▁█");
  EXPECT_EQ(sparkline({}, 10), "");
}

}  // namespace
}  // namespace nystrom
