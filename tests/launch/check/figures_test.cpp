// Figures of `nystrom check`.

#include "launch/check/figures.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace nystrom {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

CheckReport memory_of(const MachineMemory& machine) {
  StartReport start;
  start.backend = "cpu";
  start.memory = {{"weights", std::size_t{3} << 30U}};
  const Config config;
  CheckReport report;
  add_memory(report, {.start = start, .config = config, .local_ranks = 2}, machine);
  return report;
}

constexpr double kGiB = 1024.0 * 1024 * 1024;

TEST(Figures, a_run_that_the_memory_does_not_hold_is_warned_of) {
  const CheckReport enough = memory_of({.peak_bytes = kGiB, .left_bytes = 6 * kGiB});
  EXPECT_THAT(enough.warnings, IsEmpty());
  EXPECT_EQ(enough.json["available_memory_bytes"], std::int64_t{7} << 30U);
  EXPECT_THAT(enough.rows.at(1).second, HasSubstr("this machine has 7.0 GiB of memory for programs"));
  const CheckReport little = memory_of({.peak_bytes = kGiB, .left_bytes = 4 * kGiB});
  ASSERT_THAT(little.warnings, SizeIs(1));
  EXPECT_THAT(little.warnings[0], HasSubstr("The 2 ranks of this machine take 6.0 GiB"));
}

TEST(Figures, unknown_memory_is_not_missing_memory) {
  const CheckReport unknown = memory_of({.peak_bytes = kGiB, .left_bytes = 0});
  EXPECT_THAT(unknown.warnings, IsEmpty());
  EXPECT_TRUE(unknown.json["available_memory_bytes"].is_null());
  EXPECT_THAT(unknown.rows.at(1).second, HasSubstr("the memory of this machine is unknown"));
}

}  // namespace
}  // namespace nystrom
