#pragma once
// Fine-tuning loop: `nystrom finetune` without its command line.
//
// After each epoch, or every n steps, the run writes a checkpoint and scores the validation splits;
// evaluations.json records the scores, from which a resumed run knows what is done. The best checkpoint by
// the task's metric is kept as checkpoints/best.h5. At the end that checkpoint is scored again and predicts
// the test splits: results.json, details.json (confusions), predictions.tsv, leaderboard/.

#include "data/tasks/task.h"
#include "trainer/pretrain.h"

namespace nystrom {

struct FinetuneOptions {
  TaskConfig task;
  Tokenizer tokenizer;
  std::int64_t epochs = 4;          ///< 0: the run has run.trainer.steps
  std::int64_t evaluate_every = 0;  ///< steps between evaluations; 0: an epoch. The last step has one too
  double warmup_share = 0;          ///< share of all steps; 0: trainer.schedule.warmup_steps
  std::int64_t patience = 0;        ///< evaluations without a better metric before stopping; 0: never
  std::string metric;               ///< chooses the best checkpoint; empty: the task's first
  std::string from;                 ///< initial model, for results.json; empty: random initialization
  std::int64_t from_step = 0;       ///< training steps of that model, for evaluate_task; 0: not known

  /// As in pretraining, except that fine-tuning sets head, data sources and checkpoints itself, and the
  /// steps unless `epochs` is 0.
  PretrainOptions run;
};

/// Trains, scores and predicts. Collective; `observer` is notified on rank 0.
StopReason finetune(const FinetuneOptions& options, Comm& comm, Observer& observer);

/// What finetune() would come to; as check_pretraining. Collective.
[[nodiscard]] StartReport check_finetuning(const FinetuneOptions& options, const TimingPlan& plan, Comm& comm,
                                           Observer& observer);

/// Scores and predictions of a fine-tuned model, without training: returns the text of results.json, and
/// writes it and the other final files of finetune to run.directory unless that is empty. Needs no training
/// split. Collective.
std::string evaluate_task(const FinetuneOptions& options, Comm& comm, Observer& observer);

}  // namespace nystrom
