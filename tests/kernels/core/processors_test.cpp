#include "kernels/core/processors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "temporary_folder.h"

namespace nystrom {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

/// A machine as /proc and /sys show it.
class Machine : public ::testing::Test {
 protected:
  void write(const std::string& path, const std::string& text) const {
    const std::filesystem::path file = folder.path() + path;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text << '\n';
  }
  void allow(const std::string& cpus) const {
    write("/proc/self/status", "Name:\tx\nCpus_allowed:\tff\nCpus_allowed_list:\t" + cpus);
  }
  void cpu(int number, const std::string& siblings, int node) const {
    const std::string place = "/sys/devices/system/cpu/cpu" + std::to_string(number);
    write(place + "/topology/thread_siblings_list", siblings);
    std::filesystem::create_directories(folder.path() + place + "/node" + std::to_string(node));
  }
  [[nodiscard]] Processors found() const { return available_processors(folder.path()); }

  testing::TemporaryFolder folder;
};

TEST_F(Machine, hardware_threads_of_a_core_are_one_core) {
  allow("0-7");
  for (int i = 0; i < 4; ++i) {
    const std::string siblings = std::to_string(i) + "," + std::to_string(i + 4);
    cpu(i, siblings, 0);
    cpu(i + 4, siblings, 0);
  }
  const Processors p = found();
  EXPECT_THAT(p.cores,
              ElementsAre(ElementsAre(0, 4), ElementsAre(1, 5), ElementsAre(2, 6), ElementsAre(3, 7)));
  EXPECT_EQ(compute_threads(p), 4);
  EXPECT_EQ(hardware_threads(p), 8);
}

TEST_F(Machine, cores_outside_of_the_mask_do_not_count) {
  allow("1,4-5");
  for (int i = 0; i < 6; ++i) cpu(i, std::to_string(i / 2 * 2) + "-" + std::to_string(i / 2 * 2 + 1), 0);
  EXPECT_THAT(found().cores, ElementsAre(ElementsAre(1), ElementsAre(4, 5)));
}

TEST_F(Machine, cores_of_one_node_are_adjacent) {
  allow("0-3");
  for (int i = 0; i < 4; ++i) cpu(i, std::to_string(i), i % 2);
  EXPECT_THAT(found().cores, ElementsAre(ElementsAre(0), ElementsAre(2), ElementsAre(1), ElementsAre(3)));
}

TEST_F(Machine, without_a_topology_each_cpu_is_a_core) {
  allow("2-3");
  EXPECT_THAT(found().cores, ElementsAre(ElementsAre(2), ElementsAre(3)));
  EXPECT_EQ(found().quota, kNoQuota);
}

TEST_F(Machine, the_least_quota_of_all_groups_above_counts) {
  allow("0-7");
  write("/proc/self/mountinfo", "30 1 0:26 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw");
  write("/proc/self/cgroup", "0::/pods/one/box");
  write("/sys/fs/cgroup/pods/cpu.max", "250000 100000");
  write("/sys/fs/cgroup/pods/one/cpu.max", "max 100000");
  write("/sys/fs/cgroup/pods/one/box/cpu.max", "400000 100000");
  EXPECT_EQ(found().quota, 2.5);
  EXPECT_EQ(compute_threads(found()), 2);
  write("/sys/fs/cgroup/pods/cpu.max", "50000 100000");
  EXPECT_EQ(compute_threads(found()), 1) << "half a CPU is one thread";
}

TEST_F(Machine, quota_of_version_1) {
  allow("0-7");
  write("/proc/self/mountinfo",
        "30 1 0:26 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
        "31 1 0:27 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
        "32 1 0:28 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset");
  write("/proc/self/cgroup", "5:cpu,cpuacct:/user/a\n4:cpuset:/\n0::/");
  write("/sys/fs/cgroup/cpu,cpuacct/user/cpu.cfs_quota_us", "300000");
  write("/sys/fs/cgroup/cpu,cpuacct/user/cpu.cfs_period_us", "100000");
  write("/sys/fs/cgroup/cpu,cpuacct/user/a/cpu.cfs_quota_us", "-1");
  write("/sys/fs/cgroup/cpu,cpuacct/user/a/cpu.cfs_period_us", "100000");
  EXPECT_EQ(found().quota, 3);
}

TEST_F(Machine, a_container_may_see_its_group_from_outside) {
  allow("0-7");
  write("/proc/self/mountinfo", "30 1 0:26 /docker/ab /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu");
  write("/proc/self/cgroup", "5:cpu:/docker/ab/inner");
  write("/sys/fs/cgroup/cpu/inner/cpu.cfs_quota_us", "400000");
  write("/sys/fs/cgroup/cpu/inner/cpu.cfs_period_us", "100000");
  write("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "150000");
  write("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000");
  EXPECT_EQ(found().quota, 1.5);
}

TEST(Shares, are_whole_cores_next_to_each_other) {
  const Processors p{.cores = {{0, 8}, {1, 9}, {2, 10}, {3, 11}, {4, 12}}};
  EXPECT_THAT(share_of(p, 0, 2), ElementsAre(0, 8, 1, 9));
  EXPECT_THAT(share_of(p, 1, 2), ElementsAre(2, 10, 3, 11, 4, 12));
  EXPECT_THAT(share_of(p, 3, 5), ElementsAre(3, 11));
  EXPECT_THAT(share_of(p, 0, 1), ElementsAre(0, 8, 1, 9, 2, 10, 3, 11, 4, 12));
}

TEST(Shares, are_hardware_threads_where_there_are_fewer_cores_than_ranks) {
  const Processors p{.cores = {{0, 1}}};
  EXPECT_THAT(share_of(p, 0, 2), ElementsAre(0));
  EXPECT_THAT(share_of(p, 1, 2), ElementsAre(1));
  EXPECT_THAT(share_of(p, 0, 3), IsEmpty());
}

TEST(Shares, cover_all_cores_once_for_any_number_of_ranks) {
  Processors p;
  for (int core = 0; core < 24; ++core) p.cores.push_back({core, core + 24});
  for (int ranks = 1; ranks <= 48; ++ranks) {
    std::vector<int> all;
    for (int rank = 0; rank < ranks; ++rank) {
      const auto mine = share_of(p, rank, ranks);
      EXPECT_FALSE(mine.empty()) << rank << " of " << ranks;
      all.insert(all.end(), mine.begin(), mine.end());
    }
    EXPECT_EQ(all, p.cpus()) << ranks;
  }
}

TEST(Processors, lists_of_cpus_are_parsed) {
  EXPECT_THAT(parse_cpu_list("0-2,8\n"), ElementsAre(0, 1, 2, 8));
  EXPECT_THAT(parse_cpu_list("\t5"), ElementsAre(5));
  for (const char* text : {"", "x", "3-1", "-1"}) EXPECT_THAT(parse_cpu_list(text), IsEmpty()) << text;
}

TEST(Processors, requested_threads_are_a_positive_number) {
  const char* before = std::getenv("OMP_NUM_THREADS");
  const std::string kept = before == nullptr ? "" : before;
  for (const auto& [text, threads] :
       {std::pair{"4", 4}, {"8,2", 8}, {"", 0}, {"0", 0}, {"-1", 0}, {"abc", 0}, {"99999999999", 0}}) {
    ::setenv("OMP_NUM_THREADS", text, 1);
    EXPECT_EQ(requested_threads(), threads) << text;
  }
  if (before == nullptr)
    ::unsetenv("OMP_NUM_THREADS");
  else
    ::setenv("OMP_NUM_THREADS", kept.c_str(), 1);
}

TEST(Processors, of_this_process_are_found_and_can_be_bound_to) {
  const Processors p = available_processors();
  ASSERT_FALSE(p.cores.empty());
  EXPECT_TRUE(bind_to(p.cpus()));
  EXPECT_FALSE(bind_to({}));
}

}  // namespace
}  // namespace nystrom
