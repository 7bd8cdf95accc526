#include "launch/setup/prepare_setup.h"

#include <filesystem>

#include "data/tasks/lra/source.h"
#include "kernels/core/check.h"
#include "launch/models/tokenizer_search.h"

namespace nystrom {

PrepareOptions set_up_preparation(const Config& config) {
  PrepareOptions options = prepare_options(config);
  if (!config.tokenizer.path.empty())
    options.tokenizer.existing = read_any_tokenizer(config.tokenizer.path, options.tokenizer.training.names);
  return options;
}

bool prepares_task(const Config& config) {
  return config.task.kind == "lra" && !config.gives("corpus");
}

TaskPreparation set_up_task_preparation(const Config& config) {
  require(config, {"task.path", "output.directory"}, "prepare");
  const TaskConfig task = task_options(config);
  const lra::Kind& kind = lra::kind_of(task);
  TaskPreparation preparation{.task = task,
                              .longest = lra::symbols_to_keep(kind, task, config.data.sequence_length),
                              .found = kind.open(task)->found(),
                              .path = fmt::format("{}/{}.h5", config.output.directory, kind.name)};
  if (std::filesystem::exists(preparation.path))
    refuse("{} exists; remove it, or set another `output.directory`.", preparation.path);
  return preparation;
}

}  // namespace nystrom
