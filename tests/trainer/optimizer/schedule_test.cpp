#include "trainer/optimizer/schedule.h"

#include <gtest/gtest.h>

#include <cmath>

#include "kernels/core/check.h"

namespace nystrom {
namespace {

TEST(Schedule, linear_rises_to_the_peak_and_falls_by_equal_steps) {
  const ScheduleOptions linear{ScheduleKind::kLinear, 5};
  EXPECT_DOUBLE_EQ(schedule_factor(linear, 1, 20), 0.2);
  EXPECT_DOUBLE_EQ(schedule_factor(linear, 5, 20), 1.0);
  EXPECT_DOUBLE_EQ(schedule_factor(linear, 6, 20), 15.0 / 16);
  EXPECT_DOUBLE_EQ(schedule_factor(linear, 20, 20), 1.0 / 16);
}

TEST(Schedule, linear_without_warmup_begins_below_the_peak) {
  EXPECT_DOUBLE_EQ(schedule_factor({ScheduleKind::kLinear, 0}, 1, 4), 4.0 / 5);
  EXPECT_DOUBLE_EQ(schedule_factor({ScheduleKind::kLinear, 0}, 4, 4), 1.0 / 5);
}

TEST(Schedule, the_other_kinds_share_the_warmup) {
  for (const auto kind : {ScheduleKind::kConstant, ScheduleKind::kCosine, ScheduleKind::kInverseSqrt}) {
    EXPECT_DOUBLE_EQ(schedule_factor({kind, 4}, 1, 10), 0.25);
    EXPECT_DOUBLE_EQ(schedule_factor({kind, 4}, 4, 10), 1.0);
  }
  EXPECT_DOUBLE_EQ(schedule_factor({ScheduleKind::kConstant, 4}, 10, 10), 1.0);
  EXPECT_NEAR(schedule_factor({ScheduleKind::kCosine, 3}, 7, 10), 0.5, 1e-15);
  EXPECT_DOUBLE_EQ(schedule_factor({ScheduleKind::kInverseSqrt, 4}, 16, 100), 0.5);
  EXPECT_DOUBLE_EQ(schedule_factor({ScheduleKind::kInverseSqrt, 0}, 4, 100), 0.5);
}

TEST(Schedule, an_unknown_name_is_refused) {
  EXPECT_EQ(parse<ScheduleKind>("schedule.kind", "cosine"), ScheduleKind::kCosine);
  EXPECT_THROW((void)parse<ScheduleKind>("schedule.kind", "cosin"), InputError);
}

}  // namespace
}  // namespace nystrom
