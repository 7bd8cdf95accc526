#pragma once
// Run directory: config.yaml, metrics.jsonl, TensorBoard events, checkpoints/.

#include <string>

#include "trainer/metrics/observer.h"
#include "trainer/run/run_options.h"

namespace nystrom {

[[nodiscard]] std::string checkpoint_folder(const std::string& directory);
[[nodiscard]] std::string metrics_path(const std::string& directory);

/// In RunIdentity::settings: the digest of the files that a key names, "data.shards_content"; and how a run
/// departs from the one that it continues, for every fork and every acceptance of other data so far.
[[nodiscard]] std::string content_key(std::string_view key);
inline constexpr const char* kHistoryKey = "run.history";

/// What a run resumes from.
struct ResumePoint {
  std::string checkpoint;  ///< "" for a new run
  std::string history;     ///< its value of kHistoryKey; "" for none
  std::string departure;   ///< what this start adds to it; "" for nothing
};

/// Prepares the directory and chooses where the run resumes: refuses (InputError) what pretrain() refuses
/// before anything is written, and warns of corrupt checkpoints. For rank 0. Only a checkpoint is compared
/// with: a run that never saved one leaves nothing that binds the next start.
[[nodiscard]] ResumePoint prepare_run_directory(const RunOptions& options, const RunIdentity& identity,
                                                Observer& observer);

/// The same without preparing it: nothing is written. Refuses also, as RunLock::check does, a directory that
/// another job is using or that cannot be written.
[[nodiscard]] ResumePoint check_run_directory(const RunOptions& options, const RunIdentity& identity,
                                              Observer& observer);

/// One of the two.
using ChooseResumePoint = ResumePoint(const RunOptions& options, const RunIdentity& identity,
                                      Observer& observer);

/// Writes config.yaml, once all checks and the planning of memory are over. For rank 0.
void publish_configuration(const std::string& directory, const std::string& text);

/// Keys whose values differ, except those that may change, with both values as "was A, is B".
[[nodiscard]] Settings differing_keys(const Settings& old_settings, const Settings& new_settings,
                                      const std::function<bool(std::string_view)>& may_change);

}  // namespace nystrom
