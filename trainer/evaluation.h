#pragma once
// Losses of a network over batches, without touching it.

#include "model/network.h"
#include "trainer/batch_source.h"
#include "trainer/comm.h"
#include "trainer/observer.h"

namespace nystrom {

/// Weights of the losses in their sum.
struct Objective {
  double mlm_weight = 1, sop_weight = 1;
};

/// Means from a head's sums over all ranks ([losses, 3]: loss, right answers, labels).
[[nodiscard]] Losses mean_losses(std::span<const double> sums, const Objective& objective, bool has_sop);

/// The losses over global batches [0, min(batches, source.batches())), shared among the ranks: the result
/// does not depend on how many there are, beyond rounding. Collective.
[[nodiscard]] Losses evaluate(Context& context, Comm& comm, Network& network, BatchBuffer& buffer,
                              BatchSource& source, std::int64_t batches, const Objective& objective);

}  // namespace nystrom
