#include "trainer/batches/micro_batch.h"

#include <algorithm>

namespace nystrom {
namespace {

constexpr std::int64_t kTokensAtOnceGpu = 65536;  // keeps a GPU busy; more is hardly faster
// For what comes later: kernels that cuBLASLt loads when it first needs them, NCCL, rounding of allocations.
constexpr std::size_t kReserve = std::size_t{1} << 30U;

BatchLimits limits_for(const BatchLimits& all, std::int64_t sequences) {
  const auto share = [&](std::int64_t of_all) {
    return (of_all * sequences + all.sequences - 1) / std::max<std::int64_t>(all.sequences, 1);
  };
  BatchLimits part = all;
  part.sequences = sequences;
  part.tokens = share(all.tokens);
  part.labels = share(all.labels);
  return part;
}

}  // namespace

std::int64_t automatic_micro_batch(std::int64_t sequence_length, std::int64_t global_batch, int ranks,
                                   bool gpu) {
  const std::int64_t share = (global_batch + ranks - 1) / ranks;
  const std::int64_t tokens = gpu ? kTokensAtOnceGpu : kTokensAtOnce;
  return std::clamp<std::int64_t>(tokens / std::max<std::int64_t>(sequence_length, 1), 1, share);
}

std::size_t batch_bytes(const BatchLimits& limits) {
  constexpr std::size_t kBytesPerToken = 64;  // two blocks
  return static_cast<std::size_t>(limits.tokens) * kBytesPerToken;
}

std::size_t training_bytes(const MicroBatchFit& fit, const BatchLimits& limits) {
  const ParameterStore& store = fit.network.parameters();
  const std::size_t activations =
      Network::planned_bytes(fit.network.config(), fit.network.head_config(), store.activation(),
                             {limits, fit.threads, /*training=*/true, fit.recompute}, store.memory());
  const std::size_t weights = store.weights().bytes();
  const std::size_t sums = fit.bf16_sums ? weights / 2 : 0;
  return activations + fit.optimizer_bytes + sums + batch_bytes(limits) + kReserve;
}

// More sequences never take less memory.
std::int64_t fitting_micro_batch(const MicroBatchFit& fit) {
  std::int64_t fits = 0, too_many = fit.limits.sequences + 1;
  while (too_many - fits > 1) {
    const std::int64_t middle = fits + (too_many - fits) / 2;
    (training_bytes(fit, limits_for(fit.limits, middle)) <= fit.free_bytes ? fits : too_many) = middle;
  }
  return fits;
}

}  // namespace nystrom
