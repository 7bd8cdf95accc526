#pragma once
// `nystrom finetune` without its command line: a task, a network with the task's head, epochs of training
// with the task's metrics after each, the best checkpoint, results and predictions.
//
// After each epoch a checkpoint is written and the validation splits are scored; the scores stand in
// evaluations.json, from which a resumed run knows what is done. The best checkpoint by the task's metric is
// kept as checkpoints/best.h5. At the end the best one is scored again and predicts the test splits:
// results.json, predictions.tsv, leaderboard/, report.html.

#include "data/tasks/task.h"
#include "trainer/pretrain.h"

namespace nystrom {

struct FinetuneOptions {
  TaskConfig task;
  Tokenizer tokenizer;
  std::int64_t epochs = 4;
  double warmup_share = 0;    ///< of all steps; 0: trainer.schedule.warmup_steps
  std::int64_t patience = 0;  ///< stop after so many epochs without a better metric; 0: never
  std::string metric;         ///< chooses the best checkpoint; empty: the task's first
  std::string from;           ///< the model that it starts from, for results.json; empty: drawn from the seed

  /// As for pretraining; its head, data sources, trainer.steps, checkpoint folder and saving come from here.
  PretrainOptions run;
};

/// Trains, scores and predicts. Collective. `observer` hears everything on rank 0.
StopReason finetune(const FinetuneOptions& options, Comm& comm, Observer& observer);

/// Scores and predictions of a network that was fine-tuned before, into run.directory unless that is empty
/// (results.json and the other files of the end of finetune); gives the text of results.json. Needs no
/// training split. Collective.
std::string evaluate_task(const FinetuneOptions& options, Comm& comm, Observer& observer);

}  // namespace nystrom
