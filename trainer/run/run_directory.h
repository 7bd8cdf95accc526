#pragma once
// Run directory: config.yaml, metrics.jsonl, TensorBoard events, checkpoints/.

#include <string>

#include "trainer/metrics/observer.h"
#include "trainer/run/run_options.h"

namespace nystrom {

[[nodiscard]] std::string checkpoint_folder(const std::string& directory);
[[nodiscard]] std::string metrics_path(const std::string& directory);

/// Prepares the directory and returns the checkpoint to resume from ("" for none): refuses (InputError) what
/// pretrain() refuses before anything is written, and warns of corrupt checkpoints. For rank 0. Only a
/// checkpoint is compared with: a run that never saved one leaves nothing that binds the next start.
[[nodiscard]] std::string prepare_run_directory(const RunOptions& options, const RunIdentity& identity,
                                                Observer& observer);

/// Writes config.yaml, once all checks and the planning of memory are over. For rank 0.
void publish_configuration(const std::string& directory, const std::string& text);

/// Keys whose values differ, except those that may change, as "key (was A, is B)"; sorted.
[[nodiscard]] std::vector<std::string> differing_keys(
    const Settings& old_settings, const Settings& new_settings,
    const std::function<bool(std::string_view)>& may_change);

}  // namespace nystrom
