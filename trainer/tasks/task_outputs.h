#pragma once
// Inference on a split, sharded across ranks.

#include "data/tasks/task.h"
#include "model/compute_session.h"
#include "trainer/comm/comm.h"

namespace nystrom {

struct SplitOutputs {
  Outputs outputs;  ///< of every rank's rows, in order, on every rank
  double loss =
      0;  ///< mean over labels; 0 without labels, NaN for embeddings, whose loss depends on the batch
};

/// Each rank computes a contiguous part of the rows, batches of similar lengths as large as its limits allow;
/// collective. The session is planned for limits that any one row fits.
[[nodiscard]] SplitOutputs compute_outputs(ComputeSession& session, Comm& comm, const TaskSplit& split,
                                           AnswerKind answer);

}  // namespace nystrom
