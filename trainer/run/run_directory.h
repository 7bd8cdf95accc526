#pragma once
// The folder of a run: config.yaml, metrics.jsonl, TensorBoard events, checkpoints/.

#include <string>

#include "trainer/metrics/observer.h"
#include "trainer/pretrain.h"

namespace nystrom {

[[nodiscard]] std::string checkpoint_folder(const std::string& directory);
[[nodiscard]] std::string metrics_path(const std::string& directory);

/// Decides from which checkpoint to go on ("" for none) and makes the folder ready: refuses (InputError) what
/// pretrain() refuses before anything is written, warns of damaged checkpoints, then writes config.yaml. For
/// rank 0.
[[nodiscard]] std::string prepare_run_directory(const PretrainOptions& options, Observer& observer);

}  // namespace nystrom
