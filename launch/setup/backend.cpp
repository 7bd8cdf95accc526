#include "launch/setup/backend.h"

#include <algorithm>

#include "kernels/attention/split_sequences.h"
#include "kernels/tensor/cpu_features.h"
#include "trainer/comm/rank_group.h"

namespace nystrom {

Backend choose_backend(BackendChoice choice, std::string_view key) {
  if (choice == BackendChoice::kCpu) return {};
  const GpuSearch search = find_gpus();
  if (!search.gpus.empty()) return {.cuda = true, .time_products = false, .notes = {}};
  if (choice == BackendChoice::kCuda)
    refuse("`{}` is cuda, but {}; choose cpu or auto.", key, search.problem);
  Backend backend;
  if (search.built) backend.notes.push_back(search.problem + ": the CPU computes.");
  return backend;
}

void check_cuda_graph(const Config& config, const Backend& backend) {
  if (config.training.cuda_graph && !backend.cuda)
    refuse("`training.cuda_graph` is true, but the CPU computes; set it to false, or use a GPU.");
}

void check_communication(const Config& config, const Backend& backend) {
  if (config.communication.kind == CommKind::kNccl && !backend.cuda)
    refuse("`communication.kind` is nccl, but the CPU computes, and its ranks use MPI; choose mpi or auto.");
}

void check_split_sequences(const Config& config, const ModelConfig& model, const Backend& backend) {
  const std::int64_t ranks = config.communication.sequence_ranks;
  if (ranks == 1 || !backend.cuda) return;
  if (model.attention.kind != "nystrom")
    refuse(
        "`communication.sequence_ranks` is {}, but a GPU computes, where only attention of kind nystrom lies on several "
        "ranks, not {}: choose nystrom, or set `training.backend` to cpu, or `communication.sequence_ranks` to 1.",
        ranks, model.attention.kind);
  if (ranks > kMaxSequenceRanks)
    refuse(
        "`communication.sequence_ranks` is {}, but a sequence lies on at most {} GPUs: set it to a divisor of the ranks up "
        "to that.",
        ranks, kMaxSequenceRanks);
  if (config.training.cuda_graph)
    refuse(
        "`communication.sequence_ranks` is {}, but with `training.cuda_graph` ranks cannot exchange parts of sequences "
        "between operations: set the latter to false, or the former to 1.",
        ranks);
}

Device open_device(const Backend& backend, CommKind kind, Comm& comm) {
  const auto kinds = comm.all_gather_text(backend.cuda ? "a GPU" : "the CPU", "the comparison of backends");
  for (std::size_t rank = 1; rank < kinds.size(); ++rank)
    if (kinds[rank] != kinds[0])
      refuse("Rank 0 would compute on {}, rank {} on {}; set `training.backend`, or give every rank a GPU.",
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
        "`communication.kind` to mpi, with which ranks can share a GPU.",
        comm.local_ranks(), comm.local_ranks() == 1 ? "" : "s", gpus, gpus == 1 ? "" : "s",
        comm.local_ranks() == 1 ? "it" : "them");
  return device;
}

DType precision(const Config& config, const Backend& backend) {
  switch (config.training.precision) {
    case Precision::kF32:
      return DType::kF32;
    case Precision::kBF16:
      return DType::kBF16;
    case Precision::kAuto:
      break;
  }
  return backend.cuda || bf16_is_native() ? DType::kBF16 : DType::kF32;
}

void set_precision(Config& config, DType precision) {
  config.training.precision = parse<Precision>("training.precision", name_of(precision));
}

}  // namespace nystrom
