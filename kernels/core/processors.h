#pragma once
// The CPUs that this process may use: its affinity mask (which cpusets narrow), which of its CPUs are
// hardware threads of one core, and the quota of its control groups.

#include <limits>
#include <string>
#include <vector>

namespace nystrom {

inline constexpr double kNoQuota = std::numeric_limits<double>::infinity();

struct Processors {
  /// The CPUs (hardware threads) of each core that the mask has; cores of one NUMA node are adjacent.
  std::vector<std::vector<int>> cores;
  /// CPUs' worth of time that the control groups grant, the least from this process's group up to the root:
  /// 1.5 for `docker run --cpus 1.5`.
  double quota = kNoQuota;

  [[nodiscard]] std::vector<int> cpus() const;
};

/// Of the calling process. Where the system does not show cores, each CPU is one. `root` is prepended to
/// /proc and /sys: tests have folders there.
[[nodiscard]] Processors available_processors(const std::string& root = "");
/// The cores that the parent of this process may use: what a launcher that binds its ranks was given itself.
/// Empty where that cannot be read.
[[nodiscard]] std::vector<std::vector<int>> cores_of_parent(const std::string& root = "");

/// Threads for arithmetic: one a core, at most the whole CPUs of the quota, at least 1.
[[nodiscard]] int compute_threads(const Processors& processors);
/// Threads for everything else, such as text: one a CPU, with the same bounds.
[[nodiscard]] int hardware_threads(const Processors& processors);
/// OMP_NUM_THREADS (its first number); 0 where it is not set, empty or no number.
[[nodiscard]] int requested_threads();

/// The CPUs of the share of `rank` among `ranks` ranks: whole cores, next to each other, that differ by at
/// most one; hardware threads where there are fewer cores than ranks. Empty where there are fewer CPUs.
[[nodiscard]] std::vector<int> share_of(const Processors& processors, int rank, int ranks);

/// Binds the calling thread, and those it will start, to these CPUs; false if the system refuses.
bool bind_to(const std::vector<int>& cpus);

/// "0-3,8" as numbers, ascending; empty if it is not such a list.
[[nodiscard]] std::vector<int> parse_cpu_list(const std::string& text);

/// Of this process's control groups, as text: processes in one group share a quota.
[[nodiscard]] std::string control_groups(const std::string& root = "");

}  // namespace nystrom
