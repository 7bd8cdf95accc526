#include "trainer/optimizer/schedule.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "kernels/core/check.h"

namespace nystrom {
namespace {

using ::testing::HasSubstr;

/// The share of the peak rate.
double schedule_factor(const ScheduleOptions& schedule, std::int64_t step, std::int64_t steps) {
  return update_rates(schedule, step, steps).share;
}

TEST(Schedule, linear_rises_to_the_peak_and_falls_by_equal_steps) {
  const ScheduleOptions linear{"linear", 5};
  EXPECT_DOUBLE_EQ(schedule_factor(linear, 1, 20), 0.2);
  EXPECT_DOUBLE_EQ(schedule_factor(linear, 5, 20), 1.0);
  EXPECT_DOUBLE_EQ(schedule_factor(linear, 6, 20), 15.0 / 16);
  EXPECT_DOUBLE_EQ(schedule_factor(linear, 20, 20), 1.0 / 16);
}

TEST(Schedule, linear_without_warmup_begins_below_the_peak) {
  EXPECT_DOUBLE_EQ(schedule_factor({"linear", 0}, 1, 4), 4.0 / 5);
  EXPECT_DOUBLE_EQ(schedule_factor({"linear", 0}, 4, 4), 1.0 / 5);
}

TEST(Schedule, the_other_kinds_share_the_warmup) {
  for (const char* kind : {"constant", "cosine", "inverse_sqrt"}) {
    EXPECT_DOUBLE_EQ(schedule_factor({kind, 4}, 1, 10), 0.25);
    EXPECT_DOUBLE_EQ(schedule_factor({kind, 4}, 4, 10), 1.0);
  }
  EXPECT_DOUBLE_EQ(schedule_factor({"constant", 4}, 10, 10), 1.0);
  EXPECT_NEAR(schedule_factor({"cosine", 3}, 7, 10), 0.5, 1e-15);
  EXPECT_DOUBLE_EQ(schedule_factor({"inverse_sqrt", 4}, 16, 100), 0.5);
  EXPECT_DOUBLE_EQ(schedule_factor({"inverse_sqrt", 0}, 4, 100), 0.5);
}

TEST(Schedule, polynomial_is_a_power_of_what_is_left) {
  ScheduleOptions schedule{.kind = "polynomial", .warmup_steps = 5, .power = 2, .end_share = 0.1};
  EXPECT_DOUBLE_EQ(schedule_factor(schedule, 2, 20), 0.4);
  EXPECT_DOUBLE_EQ(schedule_factor(schedule, 5, 20), 1.0);
  EXPECT_DOUBLE_EQ(schedule_factor(schedule, 6, 20), 0.1 + 0.9 * (15.0 / 16) * (15.0 / 16));
  EXPECT_DOUBLE_EQ(schedule_factor(schedule, 20, 20), 0.1 + 0.9 / 256);
  EXPECT_DOUBLE_EQ(schedule_factor(schedule, 21, 20), 0.1);
  schedule = {.kind = "polynomial", .warmup_steps = 5};
  for (std::int64_t step = 1; step <= 20; ++step)  // with the defaults it is linear
    EXPECT_DOUBLE_EQ(schedule_factor(schedule, step, 20), schedule_factor({"linear", 5}, step, 20));
}

TEST(Schedule, wsd_stays_at_the_peak_and_falls_in_its_last_steps) {
  const ScheduleOptions linear{.kind = "wsd", .warmup_steps = 4, .decay_steps = 4, .end_share = 0.5};
  const ScheduleOptions root{.kind = "wsd", .decay_steps = 8, .decay_shape = DecayShape::kOneMinusSqrt};
  EXPECT_DOUBLE_EQ(schedule_factor(linear, 2, 20), 0.5);
  for (std::int64_t step = 4; step <= 16; ++step) EXPECT_EQ(schedule_factor(linear, step, 20), 1);
  EXPECT_DOUBLE_EQ(schedule_factor(linear, 17, 20), 0.5 + 0.5 * 0.8);
  EXPECT_DOUBLE_EQ(schedule_factor(linear, 20, 20), 0.5 + 0.5 * 0.2);
  EXPECT_EQ(schedule_factor(root, 12, 20), 1);
  EXPECT_DOUBLE_EQ(schedule_factor(root, 16, 20), 1 - 2.0 / 3);
}

TEST(Schedule, wsd_that_falls_from_the_warmup_on_is_linear) {
  for (std::int64_t step = 1; step <= 20; ++step)
    EXPECT_NEAR(schedule_factor({.kind = "wsd", .warmup_steps = 6, .decay_steps = 14}, step, 20),
                schedule_factor({"linear", 6}, step, 20), 1e-15);
}

TEST(Schedule, wsd_that_is_branched_off_has_the_rates_of_the_main_run_up_to_there) {
  const ScheduleOptions main{.kind = "wsd", .warmup_steps = 3},
      branch{.kind = "wsd", .warmup_steps = 3, .decay_steps = 5};
  for (std::int64_t step = 1; step <= 10; ++step)
    EXPECT_EQ(schedule_factor(branch, step, 15), schedule_factor(main, step, 1000));
  EXPECT_LT(schedule_factor(branch, 11, 15), 1);
}

TEST(Schedule, one_cycle_is_two_lines) {
  const ScheduleOptions cycle{.kind = "one_cycle",
                              .warmup_steps = 5,
                              .start_share = 0.2,
                              .end_share = 0.1,
                              .beta1_ends = 0.95,
                              .beta1_peak = 0.85};
  EXPECT_DOUBLE_EQ(schedule_factor(cycle, 1, 20), 0.2);
  EXPECT_DOUBLE_EQ(schedule_factor(cycle, 3, 20), 0.6);
  EXPECT_DOUBLE_EQ(schedule_factor(cycle, 5, 20), 1.0);
  EXPECT_DOUBLE_EQ(schedule_factor(cycle, 10, 20), 0.7);
  EXPECT_DOUBLE_EQ(schedule_factor(cycle, 20, 20), 0.1);
  EXPECT_DOUBLE_EQ(*update_rates(cycle, 1, 20).beta1, 0.95);
  EXPECT_DOUBLE_EQ(*update_rates(cycle, 3, 20).beta1, 0.9);
  EXPECT_DOUBLE_EQ(*update_rates(cycle, 5, 20).beta1, 0.85);
  EXPECT_DOUBLE_EQ(*update_rates(cycle, 20, 20).beta1, 0.95);
}

TEST(Schedule, one_cycle_has_pytorchs_shares_and_no_cycle_of_beta1_unless_given) {
  const ScheduleOptions cycle{.kind = "one_cycle", .warmup_steps = 6};
  EXPECT_DOUBLE_EQ(schedule_factor(cycle, 1, 20), 0.04);
  EXPECT_NEAR(schedule_factor(cycle, 20, 20), 4e-6, 1e-15);
  EXPECT_FALSE(update_rates(cycle, 3, 20).beta1.has_value());
  for (const std::int64_t warmup : {1, 20})  // a line of one step, no second line
    EXPECT_EQ(schedule_factor({.kind = "one_cycle", .warmup_steps = warmup}, warmup, 20), 1);
}

TEST(Schedule, what_does_not_fit_into_the_run_is_refused) {
  const auto refusal = [](const ScheduleOptions& schedule) -> std::string {
    try {
      check_schedule(schedule, 10);
    } catch (const InputError& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(refusal({.kind = "wsd", .warmup_steps = 4, .decay_steps = 6}), "");
  EXPECT_EQ(refusal({.kind = "linear", .warmup_steps = 4, .decay_steps = 7}), "") << "linear does not use it";
  EXPECT_THAT(
      refusal({.kind = "wsd", .warmup_steps = 4, .decay_steps = 7}),
      HasSubstr("`schedule.warmup_steps` (4) and `schedule.decay_steps` (7) are more than the 10 steps"));
  EXPECT_THAT(refusal({.warmup_steps = 11}), HasSubstr("`schedule.warmup_steps` (11) is above the 10 steps"));
  EXPECT_THAT(refusal({.kind = "one_cycle", .beta1_ends = 0.95}), HasSubstr("give both or neither"));
  EXPECT_THAT(refusal({.kind = "one_cycle", .beta1_ends = 0.95, .beta1_peak = 1}),
              HasSubstr("`schedule.beta1_peak` is 1"));
}

TEST(Schedule, an_unknown_name_is_refused) {
  EXPECT_EQ(find_schedule("cosine").name, "cosine");
  EXPECT_THROW((void)find_schedule("cosin"), InputError);
}

}  // namespace
}  // namespace nystrom
