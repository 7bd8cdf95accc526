#include "launch/config/config.h"

#include "launch/config/options.h"
#include "trainer/finetune.h"

namespace nystrom {

Config::Config() {
  const FinetuneOptions finetune;
  const PretrainOptions& run_options = finetune.run;
  const TrainerOptions& trainer = run_options.trainer;
  const SampleOptions samples;
  const PrepareOptions prepare;

  set_model(*this, ModelConfig());
  model.vocabulary_size.reset();  // the tokenizer's

  run.log_every = trainer.log_every;
  data.packing = samples.packing;
  data.pairs = samples.pair_style;
  data.short_sequence_probability = samples.short_sequence_probability;
  training.global_batch = run_options.global_batch;
  training.epochs = finetune.epochs;
  training.patience = finetune.patience;
  training.clip_norm = trainer.clip_norm;
  training.on_nonfinite = trainer.on_nonfinite;
  schedule.warmup_share = finetune.warmup_share;
  communication.timeout = trainer.timeout_seconds;
  checkpoint.failures_allowed = trainer.failures_allowed;
  evaluation.batches = trainer.validation_batches;
  output.shard_tokens = prepare.shard_tokens;
  output.validation_fraction = prepare.validation_fraction;
  output.test_fraction = prepare.test_fraction;
  output.normalization = prepare.normalization;
}

}  // namespace nystrom
