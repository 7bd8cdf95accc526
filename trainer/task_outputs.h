#pragma once
// A network's outputs for all of a split, computed by all ranks together.

#include "data/tasks/task.h"
#include "model/network.h"
#include "trainer/comm.h"

namespace nystrom {

/// The head for a task's answers.
[[nodiscard]] HeadConfig head_for(const TaskInfo& info);

struct SplitOutputs {
  Outputs outputs;  ///< of every rank's rows, in order, on every rank
  double loss = 0;  ///< mean over labels; 0 without labels
};

/// Each rank computes a contiguous part of the rows, `micro_batch` at once; collective. The network is
/// planned and `buffer` made for limits_of(split, micro_batch).
[[nodiscard]] SplitOutputs compute_outputs(Context& context, Comm& comm, Network& network,
                                           BatchBuffer& buffer, const TaskSplit& split, AnswerKind answer,
                                           std::int64_t micro_batch);

}  // namespace nystrom
