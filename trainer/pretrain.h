#pragma once
// `nystrom pretrain` without its command line: run directory, resuming, network, data, then the trainer.

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "trainer/batches/loader_source.h"
#include "trainer/batches/micro_batch.h"
#include "trainer/trainer.h"

namespace nystrom {

enum class Resume {
  kAuto,   ///< the newest whole checkpoint of the run directory, if there is one
  kNever,  ///< refused in a run directory that was used
  kPath    ///< that checkpoint
};

/// What a source is made for.
struct SourceRequest {
  std::int64_t global_batch = 0, micro_batch = 0;
  int rank = 0, ranks = 1;
};
using SourceFactory = std::function<std::unique_ptr<BatchSource>(const SourceRequest&)>;

/// Sources over shards; `options` but for batch sizes and ranks, which come with the request.
[[nodiscard]] SourceFactory shard_source(const LoaderOptions& options);

struct PretrainOptions {
  std::string directory;  ///< run.directory
  Resume resume = Resume::kAuto;
  std::string resume_path;        ///< for Resume::kPath
  double stop_after_seconds = 0;  ///< since the process was started: then save and stop; 0: no limit
  /// Hears what all ranks are doing when SIGUSR2 asks, on rank 0, from another thread.
  std::function<void(const std::string&)> report = {};
  /// Files that every rank reads by itself and that must be the same everywhere: shards.
  std::vector<std::string> files;

  ModelConfig model;
  HeadConfig head = HeadKind::kPretraining;
  DType precision = DType::kF32;  ///< of activations; resolved, no "auto"
  bool recompute = false;         ///< activation checkpointing
  int threads = 0;                ///< 0: the cores that this rank may use
  /// Where this rank computes; called once, after the run's directory was prepared. Empty: the processor.
  std::function<Device(Comm&)> device;
  ReductionOptions communication;

  std::int64_t sequence_length = 512;
  std::int64_t global_batch = 256;
  std::int64_t micro_batch = 0;                  ///< 0: chosen here
  SourceFactory training_data, validation_data;  ///< validation_data may be empty

  /// steps, seed, objective, optimizer, schedule, clip_norm, ..., identity. Its checkpoint_folder is set
  /// here.
  TrainerOptions trainer;

  /// Fills a network's weights where a run starts anew: from `model.from`. Empty: drawn from the seed.
  std::function<void(Network&)> start_from;

  /// May a resumed run have another value of this key?
  std::function<bool(std::string_view)> may_change = [](std::string_view) { return false; };
  /// The flat form of a config.yaml, to compare with that of a run directory without checkpoint.
  std::function<Settings(const std::string& yaml)> read_settings;
};

/// Refuses, with the rank and the item named, ranks that were started with another program, configuration or
/// files than rank 0. Collective, and the first thing that ranks should do together.
void require_same_start(const PretrainOptions& options, Comm& comm);

/// Creates the run directory with config.yaml, metrics.jsonl and TensorBoard events, and trains. Collective.
/// `observer` hears everything on rank 0. Refuses (InputError) a run directory that another job is using, a
/// used one with Resume::kNever, and a resume whose configuration differs in keys that a resume may not
/// change, naming them.
StopReason pretrain(const PretrainOptions& options, Comm& comm, Observer& observer);

/// Keys whose values differ, bar those that may change, as "key (was A, is B)"; sorted.
[[nodiscard]] std::vector<std::string> differing_keys(
    const Settings& old_settings, const Settings& new_settings,
    const std::function<bool(std::string_view)>& may_change);

}  // namespace nystrom
