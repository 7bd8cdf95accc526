#pragma once
// How fast these ranks sum gradients, measured: what a bucket of a model's gradients costs.

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/tensor/device.h"
#include "trainer/comm/gpu_collectives.h"

namespace nystrom {

struct AllReduceRate {
  std::string kind;        ///< "mpi", "nccl", or "mpi through the host" between GPUs
  std::int64_t bytes = 0;  ///< that each rank gave
  double seconds = 0;      ///< of one sum, the median
  /// Bytes a second that each rank's link must carry at least, 2 (N - 1) / N of the sum's: to be compared
  /// with the network's rate, whatever the number of ranks.
  double bus_bytes = 0;
};

/// Of each size, in the memory of `device`. Every rank gets the slowest rank's figures. Takes about a second
/// at 1 GB/s. Collective; of at least two ranks.
std::vector<AllReduceRate> measure_all_reduce(const Device& device, Comm& comm,
                                              const std::vector<std::int64_t>& sizes,
                                              const ReductionOptions& options);

}  // namespace nystrom
