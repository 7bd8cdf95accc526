#pragma once
// Where a command computes: `training.backend`, or `--backend`, and what this machine has.

#include <functional>
#include <string>
#include <vector>

#include "kernels/tensor/device.h"
#include "launch/config/config.h"
#include "trainer/comm/gpu_collectives.h"

namespace nystrom {

struct Backend {
  bool cuda = false;
  bool time_products = false;      ///< algorithms of matrix products are chosen by timing, and kept
  std::vector<std::string> notes;  ///< for the log: why `auto` took the processor
};

/// `choice`: auto, cpu or cuda, the value of `key`. Refuses cuda where this program or machine has none,
/// saying why.
[[nodiscard]] Backend choose_backend(const std::string& choice, const std::string& key);

/// Refuses training.cuda_graph where the processor computes.
void check_cuda_graph(const Config& config, const Backend& backend);

/// `communication.kind`. Refuses nccl without the CUDA backend.
[[nodiscard]] CommKind communication_kind(const Config& config, const Backend& backend);

/// This rank's device: its local rank's GPU. Collective. Refuses ranks of different backends, and ranks that
/// share a GPU unless `kind` is kMpi.
[[nodiscard]] Device open_device(const Backend& backend, CommKind kind, Comm& comm);

/// training.precision without "auto": bf16 on a GPU, and where the processor has instructions for it.
[[nodiscard]] DType precision(const Config& config, const Backend& backend);

}  // namespace nystrom
