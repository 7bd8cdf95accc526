#pragma once
// Run directory: config.yaml, metrics.jsonl, TensorBoard events, checkpoints/.

#include <string>

#include "trainer/metrics/observer.h"
#include "trainer/run/run_options.h"

namespace nystrom {

[[nodiscard]] std::string checkpoint_folder(const std::string& directory);
[[nodiscard]] std::string metrics_path(const std::string& directory);

/// Prepares the directory and returns the checkpoint to resume from ("" for none): refuses (InputError) what
/// pretrain() refuses before anything is written, warns of corrupt checkpoints, then writes config.yaml. For
/// rank 0.
[[nodiscard]] std::string prepare_run_directory(const RunOptions& options, const RunIdentity& identity,
                                                Observer& observer);

/// Keys whose values differ, except those that may change, as "key (was A, is B)"; sorted.
[[nodiscard]] std::vector<std::string> differing_keys(
    const Settings& old_settings, const Settings& new_settings,
    const std::function<bool(std::string_view)>& may_change);

}  // namespace nystrom
