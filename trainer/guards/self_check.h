#pragma once
// Silent corruption: memory that lost a bit, a processor that computes wrongly. `training.check_every`.

#include <functional>
#include <string>
#include <vector>

#include "model/network.h"
#include "trainer/batches/batch_source.h"
#include "trainer/comm/comm.h"
#include "trainer/metrics/evaluation.h"
#include "trainer/optimizer/optimizer.h"

namespace nystrom {

/// All ranks have the same bits in weights and optimizer state (which is not looked at where it is dealt to
/// ranks), or Error names those that drifted: the ranks that do not agree with most (with two, both).
/// Collective; the comparison of digests costs what a sum does, and the gathering of them happens only when
/// they differ.
void check_states_agree(Comm& comm, const ParameterStore& store, const Optimizer& optimizer,
                        std::int64_t step);

/// compute() gives the same digests twice on every rank, or Error names the ranks on which it did not and the
/// first item (of `names`) that differed. Collective.
void check_same_twice(Comm& comm, const std::function<std::vector<std::string>()>& compute,
                      const std::function<std::string(std::size_t)>& name_of_item, std::int64_t step);

/// The same of the gradients of one micro-batch, forward and backward. Leaves gradients and sums of no
/// meaning. `batch` may be empty: a rank without rows has nothing to compute. Collective.
void check_arithmetic(Context& context, Comm& comm, Network& network, BatchBuffer& buffer,
                      const StepBatch& batch, const Pass& pass, const LossScales& scales, std::int64_t step);

}  // namespace nystrom
