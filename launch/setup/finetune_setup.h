#pragma once
// Inputs of `finetune`, and of `evaluate` of a task, from a configuration.

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

/// Refuses files of the task, or of any point of the grid, that may be anybody's and are corrupt or
/// malicious. On rank 0 alone. To be called before MPI.
void check_finetuning_files(const Config& config);

/// With `training` false the weights, head included, must be those of a model that was fine-tuned before.
[[nodiscard]] std::unique_ptr<FinetuneSetup> set_up_finetuning(const Config& config, bool training);

}  // namespace nystrom
