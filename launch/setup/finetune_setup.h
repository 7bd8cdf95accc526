#pragma once
// What `finetune`, and `evaluate` of a task, work with, out of a configuration.

#include <memory>
#include <optional>

#include "launch/config/config.h"
#include "launch/models/model_source.h"
#include "trainer/finetune.h"

namespace nystrom {

struct FinetuneSetup {
  Config config;                    ///< resolved
  std::optional<ModelSource> from;  ///< model.from; the options refer to it
  FinetuneOptions options;
  std::vector<std::string> notes;  ///< sentences for the log
};

/// The section `task` (docs/finetuning.md).
[[nodiscard]] TaskConfig task_options(const Config& config);

/// With `training` false the weights, head included, must be those of a model that was fine-tuned before.
[[nodiscard]] std::unique_ptr<FinetuneSetup> set_up_finetuning(const Config& config, bool training);

/// `nystrom evaluate` of a task: model.from, or else the best or newest checkpoint of run.directory. Prints
/// one line of JSON.
int evaluate_finetuned(const Config& config);

}  // namespace nystrom
