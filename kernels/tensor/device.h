#pragma once
// Device of a network: this machine's CPU, or one of its GPUs. Properties of GPUs
// without CUDA's headers.

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "kernels/tensor/context.h"

namespace nystrom {

struct GpuInfo {
  std::string name;
  int capability = 0;  ///< 90 for compute capability 9.0
  std::size_t memory_bytes = 0;
  std::vector<int> peers = {};  ///< GPUs whose memory it reaches directly
};

/// What this process could compute on besides the CPU.
struct GpuSearch {
  bool built = false;  ///< the CUDA backend is in this program
  std::vector<GpuInfo> gpus;
  std::string problem;  ///< why there are none, as the middle of a sentence: "this machine has no GPU"
  int driver = 0, runtime = 0;  ///< CUDA versions: 13000 is 13.0; 0: unknown
};
/// Never throws; what is too old to be used is a problem, and not listed.
[[nodiscard]] GpuSearch find_gpus();

class Device {
 public:
  /// The CPU.
  Device() = default;
  /// GPU `index` of find_gpus(); its context lives as long as a copy of this. Throws Error where it fails.
  /// With `time_products` the algorithms of matrix products are chosen by timing, and kept
  /// (training.deterministic).
  [[nodiscard]] static Device gpu(int index, bool time_products = false);

  [[nodiscard]] bool is_gpu() const { return cuda_ != nullptr; }
  [[nodiscard]] CudaContext* cuda() const { return cuda_.get(); }
  /// For ops; `threads` of the CPU.
  [[nodiscard]] Context context(int threads) const { return {threads, cuda_.get()}; }
  [[nodiscard]] Memory& memory() const { return context(1).memory(); }
  /// "cpu" or "cuda", as in training.backend.
  [[nodiscard]] std::string kind() const { return is_gpu() ? "cuda" : "cpu"; }
  /// The CPU, or the GPU by name.
  [[nodiscard]] std::string text() const;
  /// The GPU by its unique id, the same text for two processes on the same GPU, or on the same part of one
  /// (MIG); whatever the machines are called. Empty on the CPU.
  [[nodiscard]] std::string identity() const;
  /// Whether attention multiplies by wgmma (Hopper's instructions for four warps), and if not, why: a phrase.
  /// Empty on the CPU.
  [[nodiscard]] std::string wgmma() const;
  /// Bytes of memory that can still be taken; SIZE_MAX for the CPU, whose system finds out later.
  [[nodiscard]] std::size_t free_bytes() const;
  /// Bytes of the GPU's memory that are taken, by this and by other programs, with CUDA's own part; 0 for the
  /// processor.
  [[nodiscard]] std::size_t used_bytes() const;

 private:
  std::shared_ptr<CudaContext> cuda_;
};

}  // namespace nystrom
