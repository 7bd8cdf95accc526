#pragma once
// Restore from a checkpoint on all ranks: rank 0 reads the file and broadcasts or shards it.

#include <string>

#include "trainer/checkpoint/run_state.h"
#include "trainer/comm/comm.h"
#include "trainer/optimizer/optimizer.h"

namespace nystrom {

/// Fills weights, their rounded copy and the optimizer's state, whole or this rank's shard of it; returns the
/// run's counters. Collective. Throws InputError where the checkpoint is invalid or does not fit the network.
[[nodiscard]] RunState restore_checkpoint(const std::string& path, Comm& comm, ParameterStore& store,
                                          Optimizer& optimizer);

}  // namespace nystrom
