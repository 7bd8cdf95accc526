#pragma once
// Silent data corruption: compares weights across ranks and recomputes a micro-batch
// (`training.check_every`).

#include <functional>
#include <string>
#include <vector>

#include "model/network.h"
#include "trainer/batches/batch_source.h"
#include "trainer/comm/comm.h"
#include "trainer/metrics/evaluation.h"
#include "trainer/optimizer/optimizer.h"

namespace nystrom {

/// Compares weights (tensors in `memory` that all ranks have) and optimizer state (unless sharded) across
/// ranks, bit for bit. Throws Error naming the ranks that drifted: those that differ from the majority (of
/// two, both). Collective; costs one all-reduce of digests, which are gathered only when they differ.
void check_states_agree(Comm& comm, std::span<const Tensor> weights, Memory& memory,
                        const Optimizer& optimizer, std::int64_t step);

/// Calls compute() twice and compares the digests. Throws Error naming the ranks on which they differ, and
/// the first item that does. Collective.
void check_same_twice(Comm& comm, const std::function<std::vector<std::string>()>& compute,
                      const std::function<std::string(std::size_t)>& name_of_item, std::int64_t step);

/// The same for the gradients of one micro-batch, forward and backward. Leaves gradients and loss sums
/// undefined. `batch` may be empty: a rank without sequences has nothing to compute. `reduction` carries
/// parts of sequences that ranks share on a device. Collective.
void check_arithmetic(Context& context, Comm& comm, Network& network, BatchBuffer& buffer,
                      const StepBatch& batch, const Pass& pass, const LossScales& scales, std::int64_t step,
                      DeviceReduction* reduction = nullptr);

}  // namespace nystrom
