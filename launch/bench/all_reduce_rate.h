#pragma once
// Measured all-reduce rate of these ranks, for the cost of a bucket of gradients.

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/tensor/device.h"
#include "trainer/comm/gpu_collectives.h"

namespace nystrom {

struct AllReduceRate {
  std::string kind;        ///< "mpi", "nccl", or "mpi through the host" between GPUs
  std::int64_t bytes = 0;  ///< per rank
  double seconds = 0;      ///< median of one all-reduce
  /// Bus bandwidth in bytes per second, 2 (N - 1) / N × bytes / seconds, as in nccl-tests: comparable with
  /// the rate of the network for any number of ranks.
  double bus_bytes = 0;
};

/// Measures each size, in the memory of `device`, and returns the slowest rank's times on every rank. Takes
/// about a second at 1 GB/s. Collective, for at least two ranks.
std::vector<AllReduceRate> measure_all_reduce(const Device& device, Comm& comm,
                                              const std::vector<std::int64_t>& sizes,
                                              const ReductionOptions& options);

}  // namespace nystrom
