// Which steps `nystrom check` times.

#include "trainer/start_report.h"

#include <gtest/gtest.h>

#include "trainer/comm/comm.h"

namespace nystrom {
namespace {

constexpr double kMiB = 1024.0 * 1024;

std::int64_t timed(const std::string& backend, double memory_bytes) {
  StartReport report;
  report.backend = backend;
  report.memory = {{"weights", std::size_t{3} << 20U}, {"activations", std::size_t{5} << 20U}};
  const auto comm = make_solo_comm();
  return steps_to_time({.steps = 4, .memory_bytes = memory_bytes}, report, *comm);
}

TEST(StepsToTime, are_none_where_the_planned_memory_exceeds_that_of_the_machine) {
  EXPECT_EQ(timed("cpu", 8 * kMiB), 4);
  EXPECT_EQ(timed("cpu", 7.9 * kMiB), 0);
}

TEST(StepsToTime, are_all_where_the_memory_is_unknown_or_another) {
  EXPECT_EQ(timed("cpu", 0), 4);
  EXPECT_EQ(timed("cuda", kMiB), 4);
}

}  // namespace
}  // namespace nystrom
