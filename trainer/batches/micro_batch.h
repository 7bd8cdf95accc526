#pragma once
// Micro-batch size: the default, and the largest that fits a GPU's memory, computed from the memory plan
// before anything runs.

#include <cstdint>

#include "kernels/tensor/device.h"
#include "model/network.h"

namespace nystrom {

/// Tokens that a CPU computes at once: they keep the cores busy and activations near the caches.
inline constexpr std::int64_t kTokensAtOnce = 4096;

/// Sequences per micro-batch when the configuration says auto: about 4,096 tokens on a CPU, 65,536 on a GPU,
/// at most a rank's share.
[[nodiscard]] std::int64_t automatic_micro_batch(std::int64_t sequence_length, std::int64_t global_batch,
                                                 int ranks, bool gpu = false);

struct MicroBatchFit {
  const Network& network;  ///< whose parameters have been allocated
  BatchLimits limits;      ///< of the wanted micro-batch
  int threads = 1;
  bool recompute = false;
  std::size_t optimizer_bytes = 0;  ///< of the optimizer's state
  bool bf16_sums = false;           ///< gradients have a copy in bf16
  std::size_t free_bytes = 0;       ///< of the device's memory
};
/// Bytes of the uploaded batches within these limits.
[[nodiscard]] std::size_t batch_bytes(const BatchLimits& limits);
/// Bytes that training with these limits takes besides weights and gradients: activations, optimizer state,
/// batches.
[[nodiscard]] std::size_t training_bytes(const MicroBatchFit& fit, const BatchLimits& limits);
/// Maximum number of sequences that fit, at most limits.sequences; 0: not even one.
[[nodiscard]] std::int64_t fitting_micro_batch(const MicroBatchFit& fit);

}  // namespace nystrom
