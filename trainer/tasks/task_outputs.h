#pragma once
// Inference on a split, sharded across ranks.

#include "data/tasks/task.h"
#include "model/network.h"
#include "trainer/comm/comm.h"

namespace nystrom {

struct SplitOutputs {
  Outputs outputs;  ///< of every rank's rows, in order, on every rank
  double loss = 0;  ///< mean over labels; 0 without labels
};

/// Each rank computes a contiguous part of the rows, batches of similar lengths as large as `limits` allows;
/// collective. The network is planned and `buffer` made for `limits`, which any one row must fit.
[[nodiscard]] SplitOutputs compute_outputs(Context& context, Comm& comm, Network& network,
                                           BatchBuffer& buffer, const BatchLimits& limits,
                                           const TaskSplit& split, AnswerKind answer);

}  // namespace nystrom
