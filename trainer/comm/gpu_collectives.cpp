#include "trainer/comm/gpu_collectives.h"

#include <algorithm>
#include <vector>

#ifdef NYSTROM_WITH_CUDA
#include "trainer/comm/nccl.h"
#include "trainer/comm/staged.h"
#endif

namespace nystrom {

#ifdef NYSTROM_WITH_CUDA

namespace {

/// True if it is true on any rank.
bool any(Comm& comm, bool mine, std::string_view what) {
  double count = mine ? 1 : 0;
  comm.all_reduce(std::span(&count, 1), what);
  return count > 0;
}

/// True if two ranks share a GPU, which NCCL does not support.
bool share_a_gpu(const Device& device, Comm& comm) {
  const auto all = comm.all_gather_text(device.identity(), "the comparison of the ranks' GPUs");
  std::vector<std::string> sorted = all;
  std::ranges::sort(sorted);
  return std::ranges::adjacent_find(sorted) != sorted.end();
}

}  // namespace

std::string nccl_status() {
  const std::string problem = nccl_problem();
  return problem.empty() ? nccl_version() : problem;
}

std::unique_ptr<DeviceReduction> make_device_reduction(const Device& device, Comm& comm,
                                                       const ReductionOptions& options) {
  if (!device.is_gpu() || comm.ranks() == 1) return nullptr;
  const auto by_mpi = [&] { return std::make_unique<StagedReduction>(*device.cuda(), comm); };
  if (options.kind == CommKind::kMpi) return by_mpi();
  const std::string problem = nccl_problem();
  const bool missing = any(comm, !problem.empty(), "the search for NCCL");
  if (options.kind == CommKind::kAuto && (missing || share_a_gpu(device, comm))) return by_mpi();
  if (!problem.empty()) refuse("`communication.kind` is nccl, but {}; choose mpi or auto.", problem);
  if (missing) refuse("`communication.kind` is nccl, but another rank cannot open NCCL; choose mpi or auto.");
  return std::make_unique<NcclReduction>(*device.cuda(), comm, options);
}

#else

std::string nccl_status() {
  return "not in this build; ranks talk over MPI";
}

std::unique_ptr<DeviceReduction> make_device_reduction(const Device&, Comm&, const ReductionOptions&) {
  return nullptr;
}

#endif

}  // namespace nystrom
