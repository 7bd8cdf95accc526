#include "trainer/tasks/in_batch_options.h"

#include <algorithm>

#include "kernels/core/check.h"

namespace nystrom {

InBatchOptions in_batch_options(const TaskConfig& task, const TaskInfo& info, const TaskSplit& train,
                                std::int64_t global_batch, std::int64_t hidden_size) {
  const std::int64_t rows = std::min(global_batch, train.rows());
  if (rows < 2)
    refuse(
        "A batch of {} has a single row, so its anchor has no negatives; raise `training.global_batch`, or "
        "provide more than one row.",
        info.name);
  if (!info.sizes.empty() && info.sizes.front() != hidden_size)
    refuse(
        "The largest of `task.sizes` is {}, but the model's vectors have {} components; give {} and smaller "
        "sizes.",
        info.sizes.front(), hidden_size, hidden_size);
  return {.row_sequences = train.choices(),
          .temperature = task.temperature,
          .sizes = info.sizes.empty() ? std::vector{hidden_size} : info.sizes,
          .max_rows = rows};
}

}  // namespace nystrom
