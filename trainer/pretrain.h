#pragma once
// Pretraining run: run directory, resume, network, data, then the trainer. `nystrom pretrain` without its
// command line.

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "trainer/batches/loader_source.h"
#include "trainer/batches/micro_batch.h"
#include "trainer/run/run_directory.h"
#include "trainer/run/run_options.h"
#include "trainer/start_report.h"
#include "trainer/trainer.h"

namespace nystrom {

/// The batch sizes and rank that a source is created for.
struct SourceRequest {
  std::int64_t global_batch = 0, micro_batch = 0;
  int rank = 0, ranks = 1;
  std::vector<BatchStage> batch_schedule = {};
  Trace* trace = nullptr;  ///< where a source's thread is recorded, if anywhere
};
using SourceFactory = std::function<std::unique_ptr<BatchSource>(const SourceRequest&)>;

/// Sources over shards; `options` except for batch sizes and ranks, which come with the request.
[[nodiscard]] SourceFactory shard_source(const LoaderOptions& options);

struct PretrainOptions : RunOptions {
  ModelConfig model;
  HeadConfig head = HeadKind::kPretraining;
  DType precision = DType::kF32;  ///< of activations; resolved, no "auto"
  bool recompute = false;         ///< activation checkpointing
  int threads = 0;                ///< 0: the cores available to this rank
  /// The device of this rank; called once, after the run directory was prepared. Empty: CPU.
  std::function<Device(Comm&)> device;
  ReductionOptions communication;

  std::int64_t sequence_length = 512;
  std::int64_t global_batch = 256;
  std::vector<BatchStage> batch_schedule = {};
  std::int64_t micro_batch = 0;  ///< 0: automatic
  int sequence_ranks = 1;        ///< neighbouring ranks that share the tokens of a micro-batch
  SourceFactory training_data, validation_data;  ///< validation_data may be empty
  std::vector<std::string> data_notes;           ///< sentences on them for the log, once both are open

  /// steps, seed, objective, optimizer, schedule, clip_norm, ..., identity. Its checkpoint_folder is set
  /// here.
  TrainerOptions trainer;

  /// Warm start: fills the weights of a new run, from `model.from`. Empty: random initialization.
  std::function<void(Network&)> start_from;
};

/// Refuses, naming rank and item, ranks that were started with another program, configuration or files than
/// rank 0. Collective, and the first thing that ranks should do together.
void require_same_start(const PretrainOptions& options, Comm& comm);

/// Where the run resumes: rank 0 calls `choose` (prepare_run_directory, or check_run_directory where nothing
/// is to be written). `identity` gets the digests of `options.contents` and the history of the run. The same
/// on every rank. Collective.
[[nodiscard]] ResumePoint choose_resume_point(const PretrainOptions& options, RunIdentity& identity,
                                              Comm& comm, Observer& observer, ChooseResumePoint* choose);

/// Creates the run directory with config.yaml, metrics.jsonl and TensorBoard events, and trains. Collective.
/// `observer` is called on rank 0. Refuses (InputError) a run directory that another job is using, one with a
/// checkpoint with Resume::kNever, and a resume or fork whose configuration differs in keys that it must not
/// change, naming them.
StopReason pretrain(const PretrainOptions& options, Comm& comm, Observer& observer);

/// What pretrain() would come to: refuses what it refuses at its start, takes its memory, loads its weights,
/// and times training steps where the memory suffices, but writes nothing. Collective; `observer` gets the
/// notes of a start on rank 0.
[[nodiscard]] StartReport check_pretraining(const PretrainOptions& options, const TimingPlan& plan,
                                            Comm& comm, Observer& observer);

}  // namespace nystrom
