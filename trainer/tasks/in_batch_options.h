#pragma once
// The loss of an embeddings task, from its configuration.

#include "data/tasks/task.h"
#include "model/heads/in_batch_loss.h"

namespace nystrom {

/// For batches of `global_batch` rows of `train` and vectors of `hidden_size` components. Refuses
/// `task.sizes` whose largest is not hidden_size, and batches of one row.
[[nodiscard]] InBatchOptions in_batch_options(const TaskConfig& task, const TaskInfo& info,
                                              const TaskSplit& train, std::int64_t global_batch,
                                              std::int64_t hidden_size);

}  // namespace nystrom
