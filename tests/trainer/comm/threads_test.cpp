#include "trainer/comm/threads.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace nystrom {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

RankShare rank_on(const std::string& host, int threads, int bound, const std::string& decides = "") {
  return {
      .host = host, .threads = threads, .bound_cores = bound, .cores = 32, .cpus = 64, .decides = decides};
}

TEST(ThreadWarnings, full_machines_have_none) {
  const std::vector<RankShare> shares{rank_on("a", 16, 16), rank_on("a", 16, 16), rank_on("b", 32, 32)};
  EXPECT_EQ(idle_warning(shares), "");
  EXPECT_EQ(overcommit_warning(shares), "");
  EXPECT_THAT(usage_by_machine(shares), ElementsAre("2 ranks with 16 threads each on a, which has 32 cores",
                                                    "1 rank with 32 threads on b, which has 32 cores"));
}

TEST(ThreadWarnings, a_half_idle_machine_is_named_with_what_to_do) {
  EXPECT_THAT(
      idle_warning({rank_on("a", 1, 1), rank_on("a", 1, 1), rank_on("b", 1, 1)}),
      AllOf(HasSubstr("2 ranks with 1 thread each use 2 of the 32 cores of a (and so on 1 more machine)"),
            HasSubstr("each rank is bound to 1 core; start the job by launch/mpirun.sh")));
  EXPECT_THAT(
      idle_warning({rank_on("a", 16, 32, "OMP_NUM_THREADS")}),
      HasSubstr("1 rank with 16 threads uses 16 of the 32 cores of a: OMP_NUM_THREADS is 16; remove"));
  EXPECT_EQ(idle_warning({rank_on("a", 17, 32, "OMP_NUM_THREADS")}), "");
}

TEST(ThreadWarnings, an_overcommitted_machine_is_named_with_what_to_do) {
  const std::vector<RankShare> shares(9, rank_on("a", 8, 32, "`run.threads`"));
  EXPECT_THAT(overcommit_warning(shares), AllOf(HasSubstr("72 threads of 9 ranks share 64 CPUs of a"),
                                                HasSubstr("lower `run.threads` (8)")));
  EXPECT_EQ(overcommit_warning(std::vector<RankShare>(8, rank_on("a", 8, 32))), "");
}

TEST(ThreadWarnings, shares_travel_between_ranks) {
  const auto comm = make_solo_comm();
  const auto back = gather_shares(*comm, rank_on("node 1", 3, 4, "`run.threads`"));
  ASSERT_EQ(back.size(), 1U);
  EXPECT_EQ(back[0].host, "node 1");
  EXPECT_EQ(back[0].decides, "`run.threads`");
  EXPECT_THAT((std::array{back[0].threads, back[0].bound_cores, back[0].cores, back[0].cpus}),
              ElementsAre(3, 4, 32, 64));
}

}  // namespace
}  // namespace nystrom
