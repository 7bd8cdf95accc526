#include "launch/setup/task_setup.h"

#include <algorithm>

#include "data/tasks/task_kinds.h"
#include "kernels/core/check.h"
#include "launch/config/options.h"

namespace nystrom {
namespace {

/// The one split of that name, or null. It keeps the task, from whose file it may read.
std::shared_ptr<const TaskSplit> load(const std::shared_ptr<Task>& task, Split name,
                                      const TextEncoder& encoder, std::vector<std::string>& notes) {
  struct Owner {
    std::shared_ptr<Task> task;
    Splits splits;
  };
  const std::shared_ptr<Owner> owner(new Owner{.task = task, .splits = task->load(name, encoder)});
  if (owner->splits.empty()) return nullptr;
  const TaskSplit* const split = owner->splits.front().get();
  std::ranges::copy(split->notes(), std::back_inserter(notes));
  return {owner, split};
}

}  // namespace

TaskConfig resolve_task(Config& config) {
  // Invalid keys are refused before any file is read.
  check_task_keys(task_options(config));
  if (const TaskKind* kind = find_task_kind(config.task.kind);
      kind != nullptr && !config.gives("task.validation_fraction"))
    config.task.validation_fraction = kind->validation_fraction;
  return task_options(config);
}

void set_task_shape(Config& config, const TaskInfo& task, const ModelConfig* from) {
  NetworkConfig& network = config.model.network;
  if (from == nullptr && network.positions == Positions::kRowColumn && !network.picture_width &&
      task.width > 0)
    network.picture_width = task.width;
  if (task.length == 0) return;
  if (!config.data.sequence_length) {
    const std::int64_t most = from != nullptr                       ? from->max_positions
                              : config.gives("model.max_positions") ? config.model.max_positions
                                                                    : task.length;
    config.data.sequence_length = std::min(task.length, most);
  }
  if (from == nullptr && !config.gives("model.max_positions"))
    config.model.max_positions = *config.data.sequence_length;
}

bool pretrains_on_task(const Config& config) {
  return config.task.kind == "lra" && !config.gives("data.shards") && !config.gives("corpus");
}

TaskInputs read_task_inputs(const TaskConfig& config, std::int64_t length, bool training) {
  const std::shared_ptr<Task> task = open_task(config);
  const TextEncoder encoder({}, length);
  TaskInputs inputs{.info = task->info(), .train = {}, .validation = {}, .data = {}, .notes = {}};
  NYSTROM_CHECK(inputs.info.vocabulary > 0, "{} has a tokenizer", inputs.info.name);
  if (training) inputs.train = load(task, Split::kTrain, encoder, inputs.notes);
  inputs.validation = load(task, Split::kValidation, encoder, inputs.notes);
  inputs.data = task->data();
  const auto& needed = training ? inputs.train : inputs.validation;
  if (needed == nullptr || needed->rows() == 0)
    refuse("{} has no {} examples.", inputs.info.name, training ? "training" : "validation");
  return inputs;
}

}  // namespace nystrom
