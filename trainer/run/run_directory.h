#pragma once
// The folder of a run: config.yaml, metrics.jsonl, TensorBoard events, checkpoints/.

#include <string>

#include "trainer/metrics/observer.h"
#include "trainer/run/run_options.h"

namespace nystrom {

[[nodiscard]] std::string checkpoint_folder(const std::string& directory);
[[nodiscard]] std::string metrics_path(const std::string& directory);

/// Decides from which checkpoint to go on ("" for none) and makes the folder ready: refuses (InputError) what
/// pretrain() refuses before anything is written, warns of damaged checkpoints, then writes config.yaml. For
/// rank 0.
[[nodiscard]] std::string prepare_run_directory(const RunOptions& options, const RunIdentity& identity,
                                                Observer& observer);

/// Keys whose values differ, bar those that may change, as "key (was A, is B)"; sorted.
[[nodiscard]] std::vector<std::string> differing_keys(
    const Settings& old_settings, const Settings& new_settings,
    const std::function<bool(std::string_view)>& may_change);

}  // namespace nystrom
