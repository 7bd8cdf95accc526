#pragma once
// Choice of the backend: `training.backend`, or `--backend`, and the devices of this machine.

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/tensor/device.h"
#include "launch/config/config.h"
#include "trainer/comm/gpu_collectives.h"

namespace nystrom {

struct Backend {
  bool cuda = false;
  bool time_products = false;      ///< algorithms of matrix products are chosen by timing, and kept
  std::vector<std::string> notes;  ///< for the log: why `auto` chose the CPU
};

/// `choice`: the value of `key`. Refuses kCuda where this program or machine has none, saying why.
[[nodiscard]] Backend choose_backend(BackendChoice choice, std::string_view key);

/// Refuses `training.cuda_graph` on the CPU.
void check_cuda_graph(const Config& config, const Backend& backend);

/// Refuses `communication.kind: nccl` on the CPU.
void check_communication(const Config& config, const Backend& backend);
/// Refuses, where a GPU computes, sequences on several ranks of a model or with keys that cannot have them.
void check_split_sequences(const Config& config, const ModelConfig& model, const Backend& backend);

/// This rank's device: its local rank's GPU. Collective. Refuses ranks of different backends, and ranks that
/// share a GPU unless `kind` is kMpi.
[[nodiscard]] Device open_device(const Backend& backend, CommKind kind, Comm& comm);

/// training.precision, kAuto resolved: bf16 on a GPU, and where the CPU has instructions for it.
[[nodiscard]] DType precision(const Config& config, const Backend& backend);

/// Writes a resolved precision back into the configuration.
void set_precision(Config& config, DType precision);

}  // namespace nystrom
