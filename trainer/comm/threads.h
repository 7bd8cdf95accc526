#pragma once
// Number of compute threads per rank.

#include <cstdint>
#include <string>

#include "trainer/comm/comm.h"

namespace nystrom {

/// OMP_NUM_THREADS if it is set; else one for each core that this rank may use, shared evenly with the ranks
/// of this machine that may use the same ones, and at most its share of the quota of its control groups
/// (kernels/core/processors.h). At least 1. Collective.
[[nodiscard]] int threads_of_rank(Comm& comm);

/// `run.threads` if it is given (above 0), else the number above. Collective.
[[nodiscard]] int threads_of_rank(Comm& comm, std::int64_t given);

/// What one rank uses of its machine.
struct RankShare {
  std::string host;
  int threads = 1;      ///< of this rank
  int bound_cores = 1;  ///< cores that it may use
  int cores = 1;        ///< cores that the ranks of this machine could use together
  int cpus = 1;         ///< hardware threads of those
  std::string decides;  ///< what set the number of threads: "OMP_NUM_THREADS", "`run.threads`", or nothing
};

/// Of the calling rank.
[[nodiscard]] RankShare share_of_rank(int threads, std::int64_t given);

/// "2 ranks with 16 threads each on node1, which has 32 cores": for each machine, in the order of the ranks.
[[nodiscard]] std::vector<std::string> usage_by_machine(const std::vector<RankShare>& shares);

/// A sentence where the ranks of a machine use at most half of its cores, and one where they are more threads
/// than it has CPUs, each with the cause and the remedy; "" where neither is so. `shares`: of all ranks.
[[nodiscard]] std::string idle_warning(const std::vector<RankShare>& shares);
[[nodiscard]] std::string overcommit_warning(const std::vector<RankShare>& shares);

/// Shares of all ranks, in rank order, on every rank. Collective.
[[nodiscard]] std::vector<RankShare> gather_shares(Comm& comm, const RankShare& mine);

/// The warnings for `threads` threads on this rank; `given` as above. Ranks that compute on a GPU may leave
/// cores idle. Collective.
[[nodiscard]] std::vector<std::string> thread_warnings(Comm& comm, int threads, std::int64_t given,
                                                       bool on_gpu = false);

}  // namespace nystrom
