#include "launch/setup/backend.h"

#include <algorithm>

#include "kernels/tensor/cpu_features.h"

namespace nystrom {

Backend choose_backend(const std::string& choice, const std::string& key) {
  if (choice == "cpu") return {};
  if (choice != "auto" && choice != "cuda") refuse("{} is '{}'; it must be auto, cpu or cuda", key, choice);
  const GpuSearch search = find_gpus();
  if (!search.gpus.empty()) return {.cuda = true, .time_products = false, .notes = {}};
  if (choice == "cuda") refuse("{} is cuda, but {}; take cpu or auto", key, search.problem);
  Backend backend;
  if (search.built) backend.notes.push_back(search.problem + ": the processor computes");
  return backend;
}

void check_cuda_graph(const Config& config, const Backend& backend) {
  if (config.training.cuda_graph && !backend.cuda)
    refuse("training.cuda_graph is true, but the processor computes; set it to false, or take a GPU.");
}

CommKind communication_kind(const Config& config, const Backend& backend) {
  if (config.communication.kind == "mpi") return CommKind::kMpi;
  if (config.communication.kind != "nccl") return CommKind::kAuto;
  if (!backend.cuda)
    refuse(
        "communication.kind is nccl, but the processor computes, whose ranks talk over MPI; take mpi or "
        "auto");
  return CommKind::kNccl;
}

Device open_device(const Backend& backend, CommKind kind, Comm& comm) {
  const auto kinds =
      comm.all_gather_text(backend.cuda ? "a GPU" : "the processor", "the comparison of backends");
  for (std::size_t rank = 1; rank < kinds.size(); ++rank)
    if (kinds[rank] != kinds[0])
      refuse("Rank 0 would compute on {}, rank {} on {}; set training.backend, or give every rank a GPU.",
             kinds[0], rank, kinds[rank]);
  if (!backend.cuda) return {};
  const int gpus = static_cast<int>(find_gpus().gpus.size());
  Device device = Device::gpu(comm.local_rank() % std::max(1, gpus), backend.time_products);
  if (kind == CommKind::kMpi) return device;
  auto identities = comm.all_gather_text(device.identity(), "the comparison of the ranks' GPUs");
  std::ranges::sort(identities);
  if (std::ranges::adjacent_find(identities) != identities.end())
    refuse(
        "This machine has {} rank{} and {} GPU{} for {}: start as many ranks as there are GPUs, or set "
        "communication.kind to mpi, by which ranks may share one.",
        comm.local_ranks(), comm.local_ranks() == 1 ? "" : "s", gpus, gpus == 1 ? "" : "s",
        comm.local_ranks() == 1 ? "it" : "them");
  return device;
}

DType precision(const Config& config, const Backend& backend) {
  if (config.training.precision == "fp32") return DType::kF32;
  if (config.training.precision == "bf16") return DType::kBF16;
  return backend.cuda || bf16_is_native() ? DType::kBF16 : DType::kF32;
}

}  // namespace nystrom
