#pragma once
// Set-up shared by fine-tuning on a task and self-pretraining on its inputs, from a configuration.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "data/tasks/task.h"
#include "launch/config/config.h"
#include "model/config/model_config.h"

namespace nystrom {

/// The section `task`, with the defaults of its kind filled in. Refuses keys that do not belong to it.
[[nodiscard]] TaskConfig resolve_task(Config& config);

/// Fills in, where they are not given: of a task with its own tokens data.sequence_length and, without
/// `from`, model.max_positions; of pictures model.picture_width. `from`: the model that is started from, or
/// nullptr.
void set_task_shape(Config& config, const TaskInfo& task, const ModelConfig* from);

/// Does `pretrain` (or `evaluate` of its model) read the inputs of a task, instead of shards? If the
/// configuration has `task.kind: lra`, and neither `data.shards` nor a `corpus`.
[[nodiscard]] bool pretrains_on_task(const Config& config);

/// The inputs of a task's training and validation split, for self-pretraining.
struct TaskInputs {
  TaskInfo info;
  std::shared_ptr<const TaskSplit> train, validation;  ///< null: not needed, or there is none
  std::string data;                                    ///< Task::data()
  std::vector<std::string> notes;

  [[nodiscard]] std::int64_t mask_id() const { return info.vocabulary; }
  [[nodiscard]] std::int64_t vocabulary() const { return info.vocabulary + 1; }
};

/// Reads them, sequences of `length` tokens; the training split if `training`.
[[nodiscard]] TaskInputs read_task_inputs(const TaskConfig& task, std::int64_t length, bool training);

}  // namespace nystrom
