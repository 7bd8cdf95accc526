#pragma once
// Inputs of `pretrain` and `evaluate`, from a configuration: model, tokenizer, shards. Invalid input is
// refused here, before anything large is allocated.

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "data/pretraining/loader.h"
#include "data/tokenizer/tokenizer.h"
#include "launch/config/config.h"
#include "launch/models/model_source.h"
#include "launch/setup/backend.h"
#include "launch/setup/run_shards.h"
#include "launch/setup/task_setup.h"
#include "model/config/model_config.h"
#include "trainer/pretrain.h"

namespace nystrom {

struct RunSetup {
  Config config;                    ///< resolved: what was left open is filled in
  std::optional<ModelSource> from;  ///< model.from
  ModelConfig model;
  HeadKind head = HeadKind::kPretraining;
  Tokenizer tokenizer;  ///< empty where there is none (NVIDIA's shards)
  std::int64_t sequence_length = 0;
  Backend backend;
  DType precision = DType::kF32;
  std::vector<std::string> shards, validation;  ///< files; none where a task's inputs are read
  std::optional<TaskInputs> task;               ///< self-pretraining: in place of shards
  ShardTotals training_totals, validation_totals;
  std::vector<std::string> data_notes;       ///< sentences for the log on the shards,
  std::vector<std::string> notes, warnings;  ///< and on all else
};

/// Refuses a checkpoint named by `run.resume`, which may be anybody's, if it is corrupt or malicious. On rank
/// 0, which alone reads it. To be called before MPI.
void check_resumed_checkpoint(const Config& config);

/// The same of the files of a task whose inputs are read.
void check_pretraining_task(const Config& config);

/// The name of `pretrain` by what it reads, as require_keys takes it.
[[nodiscard]] std::string_view pretraining_name(const Config& config);

/// Needs shards of data.shards if `training`, of data.validation if not; or the task of pretrains_on_task,
/// whose splits are then read.
RunSetup set_up_run(const Config& config, bool training);

/// The loader of training shards, on one rank. Precondition: no task.
LoaderOptions training_loader(const RunSetup& setup);

/// Sources over training shards or inputs (endless) or those for validation (one pass, at most
/// evaluation.batches); they refer to `setup`'s task.
SourceFactory training_source(const RunSetup& setup);
SourceFactory validation_source(const RunSetup& setup);

/// Options of the training run; `setup` must outlive them. `note` gets the sentences of a warm start.
[[nodiscard]] PretrainOptions pretrain_options(const RunSetup& setup,
                                               const std::function<void(const std::string&)>& note);

/// What a checkpoint says of the run, and a resume is compared by.
RunIdentity identity_of(const RunSetup& setup);

}  // namespace nystrom
