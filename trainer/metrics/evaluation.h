#pragma once
// Evaluation: losses of a network over batches, without training.

#include <array>
#include <span>

#include "model/network.h"
#include "trainer/batches/batch_source.h"
#include "trainer/comm/comm.h"
#include "trainer/comm/gpu_collectives.h"
#include "trainer/metrics/observer.h"

namespace nystrom {

/// Weights of a head's losses in their sum, in the head's order: masked language model, sentence order.
struct Objective {
  std::array<double, kMaxLosses> weights{1.0, 1.0};
};

/// Means from a head's sums over all ranks ([losses, 3]: loss, right answers, labels). A loss without labels
/// adds 0 and has no term.
[[nodiscard]] Losses mean_losses(const Head& head, std::span<const double> sums, const Objective& objective);

/// Labels of each of the head's losses in a micro-batch.
[[nodiscard]] std::array<double, kMaxLosses> count_labels(const Head& head, const BatchArrays& arrays);

/// Losses over global batches [0, min(batches, source.batches())), sharded across ranks: the result does not
/// depend on their number, beyond rounding. `reduction` carries parts of sequences that ranks share on a
/// device. Collective.
[[nodiscard]] Losses evaluate(Context& context, Comm& comm, Network& network, BatchBuffer& buffer,
                              BatchSource& source, std::int64_t batches, const Objective& objective,
                              DeviceReduction* reduction = nullptr);

}  // namespace nystrom
