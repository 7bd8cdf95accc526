#include "launch/config/config_table.h"

#include <algorithm>
#include <array>
#include <iterator>

#include "model/attention/registry.h"
#include "trainer/optimizer/optimizer.h"

namespace nystrom {
namespace {

/// "nystrom | softmax": the kinds of attention when it is first asked for.
std::string_view attention_choices() {
  static const std::string names = attention_names(" | ");
  return names;
}

const std::array kSections = {
    ConfigSection{"", "all", "", true},
    ConfigSection{"run", "pretrain, evaluate", "Where a run writes, and how it is watched.", true},
    ConfigSection{"model", "pretrain, evaluate, bench",
                  "Shape and arithmetic of the model. With `model.from`, keys that are not given take that "
                  "model's values.",
                  true},
    ConfigSection{"data", "pretrain, evaluate, bench",
                  "Which shards are read, and how samples are made of them.", true},
    ConfigSection{"objective", "pretrain, evaluate",
                  "The loss: `mlm_weight` × MLM loss + `sop_weight` × SOP loss.", true},
    ConfigSection{"training", "pretrain, evaluate, bench", "How long, how much at once, in which arithmetic.",
                  true},
    ConfigSection{"optimizer", "pretrain", "AdamW as in PyTorch; decay on tensors of two or more dimensions.",
                  true},
    ConfigSection{"schedule", "pretrain", "The learning rate over steps s = 1 … S with w warmup steps.",
                  true},
    ConfigSection{"communication", "pretrain", "How ranks talk.", true},
    ConfigSection{"checkpoint", "pretrain", "Files from which a run goes on.", true},
    ConfigSection{"evaluation", "pretrain, evaluate",
                  "Losses on the validation shards, with masks that do not change.", true},
    ConfigSection{"corpus", "prepare", "Raw text (docs/data.md).", false},
    ConfigSection{"tokenizer", "prepare, pretrain, evaluate", "Trained, or an existing one.", false},
    ConfigSection{"cleaning", "prepare", "What is left out of the text.", false},
    ConfigSection{"output", "prepare", "What `prepare` makes.", false},
    ConfigSection{"task", "finetune",
                  "What to fine-tune on (docs/finetuning.md). Files of one's own are TSV, CSV or JSON-lines.",
                  false},
    ConfigSection{"grid", "finetune", "Values to try, point after point.", false},
};

// The model, its data and its training.
std::vector<ConfigKey> run_keys(Config& c) {
  return {
      {"seed", &c.seed, "Seed of everything drawn: weights, order, masks, SOP swaps, dropout.", {}, kCount},

      {"run.directory",
       &c.run.directory,
       "Folder of metrics, log, resolved configuration and checkpoints.",
       {},
       {},
       "*"},
      {"run.log_every",
       &c.run.log_every,
       "Steps between reports on the log and in `metrics.jsonl`.",
       {},
       kPositive},
      {"run.resume", &c.run.resume,
       "`auto`: go on from the newest good checkpoint of the run's folder, if any; `never`: begin anew, "
       "refused in a folder that was used; or the path of a checkpoint."},
      {"run.check_shards", &c.run.check_shards,
       "Shards looked at in a child process before the program opens them, since a damaged HDF5 file can "
       "crash the library that reads it. `auto`: their structure, and all data of NVIDIA's, which have no "
       "checksums, up to 256 MiB; `all`: all data.",
       "auto | all | none"},
      {"run.pinv_residual_every",
       &c.run.pinv_residual_every,
       "Steps between measurements of ‖AZ − I‖_F / √M of each layer's pseudo-inverse for the metrics; 0: "
       "never.",
       {},
       kCount},
      {"run.pinv_residual_limit",
       &c.run.pinv_residual_limit,
       "A layer whose largest residual is above this is warned about when it is measured; 0: never.",
       {},
       kAtLeastZero},
      {"run.stop_after",
       &c.run.stop_after,
       "Save and stop (exit status 3) so long after the start, as `11h45m` or `90s`: a little less than the "
       "scheduler's limit.",
       {},
       {},
       "none"},
      {"run.threads",
       &c.run.threads,
       "Threads a rank; `auto`: the cores it is bound to, or its share of the machine's.",
       {},
       kPositive,
       "auto"},

      {"model.from",
       &c.model.from,
       "Start from this checkpoint or Hugging Face folder: its weights, and its values for all keys of "
       "`model` not given here.",
       {},
       {},
       "none"},
      {"model.vocabulary_size",
       &c.model.vocabulary_size,
       "Rows of the word embedding; `auto`: the tokenizer's (30000 in `bench`). Needed for NVIDIA's shards, "
       "which name no tokenizer.",
       {},
       kPositive,
       "auto"},
      {"model.hidden_size", &c.model.hidden_size, "C, a multiple of `heads`.", {}, kPositive},
      {"model.layers", &c.model.layers, "Encoder layers.", {}, kPositive},
      {"model.heads", &c.model.heads, "Attention heads.", {}, kPositive},
      {"model.intermediate_size", &c.model.intermediate_size, "Width of the feed-forward.", {}, kPositive},
      {"model.max_positions", &c.model.max_positions, "Longest sequence.", {}, kPositive},
      {"model.activation", &c.model.activation, "`gelu_new` is the tanh approximation.", "gelu_new | gelu"},
      {"model.dropout", &c.model.dropout, "After embeddings, attention output and feed-forward.", {}, kShare},
      {"model.attention_dropout",
       &c.model.attention_dropout,
       "Of attention probabilities; `softmax` only.",
       {},
       kShare},
      {"model.layer_norm_epsilon", &c.model.layer_norm_epsilon, "", {}, kAtLeastZero},
      {"model.initializer_range",
       &c.model.initializer_range,
       "Standard deviation of the initial weights.",
       {},
       kAtLeastZero},
      {"model.reinitialize_layers",
       &c.model.reinitialize_layers,
       "`finetune`: so many top layers are drawn anew instead of taken from `model.from`.",
       {},
       kCount},
      {"model.reinitialize_head", &c.model.reinitialize_head,
       "`finetune`: a head of `model.from` for another number of labels is drawn anew instead of refused."},
      {"model.attention.kind", &c.model.attention.kind,
       "`softmax` with `convolution: 0` is BERT's attention.", attention_choices()},
      {"model.attention.landmarks",
       &c.model.attention.landmarks,
       "m. A sequence of at most m tokens gets exact softmax attention.",
       {},
       kPositive},
      {"model.attention.convolution",
       &c.model.attention.convolution,
       "Taps of the depthwise convolution of the values, odd; 0: none (Hugging Face's `null`).",
       {},
       kCount},
      {"model.attention.pinv_iterations",
       &c.model.attention.pinv_iterations,
       "Steps of the pseudo-inverse's iteration.",
       {},
       kPositive},
      {"model.attention.pinv_init", &c.model.attention.pinv_init,
       "Scale of the pseudo-inverse's start: of each matrix, or one for a whole micro-batch (the original's "
       "default; the one option in which the micro-batch changes the result).",
       "per_matrix | batch_max"},
      {"model.attention.padding", &c.model.attention.padding,
       "`exact`: padding takes part in nothing; `huggingface`: rows padded to `data.sequence_length`, mask "
       "in the third softmax only.",
       "exact | huggingface"},

      {"data.shards",
       &c.data.shards,
       "Training shards: patterns of files, ours or NVIDIA's, recognized by content.",
       {},
       {},
       "*"},
      {"data.validation", &c.data.validation, "Held-out shards.", {}, {}, "[]"},
      {"data.sequence_length",
       &c.data.sequence_length,
       "Tokens of a sample, special tokens included; `auto`: the smaller of 512 and `model.max_positions`.",
       {},
       kPositive,
       "auto"},
      {"data.shuffle", &c.data.shuffle, "A new order each epoch; `false`: the shards' own order."},
      {"data.mixture",
       &c.data.mixture,
       "`{wikipedia: 3, books: 1}`: share of the samples that each corpus of the shards has, in proportion; "
       "0 leaves one out. None: as large as they are.",
       {},
       {},
       "none"},
      {"data.packing", &c.data.packing,
       "`sentences`: a sample is of one document; `documents`: whole documents share one where they fit.",
       "sentences | documents"},
      {"data.pairs", &c.data.pairs,
       "Pairs for the sentence order. `exact`: each token once an epoch, no label without a sentence "
       "boundary; `original`: cut and filled as the original's preparation (and ALBERT's).",
       "exact | original"},
      {"data.short_sequence_probability",
       &c.data.short_sequence_probability,
       "Share of the samples that end early, at a length drawn evenly (BERT's is 0.1).",
       {},
       kShare},
      {"data.masking.probability", &c.data.masking.probability, "Share of tokens to predict.", {}, kShare},
      {"data.masking.mask", &c.data.masking.mask, "Share of those replaced by the mask token.", {}, kShare},
      {"data.masking.random",
       &c.data.masking.random,
       "Share of those replaced by a random token; the rest stays.",
       {},
       kShare},
      {"data.masking.unit", &c.data.masking.unit, "What is masked together.", "token | word | span"},

      {"objective.mlm_weight",
       &c.objective.mlm_weight,
       "Weight of the masked-language loss.",
       {},
       kAtLeastZero},
      {"objective.sop_weight",
       &c.objective.sop_weight,
       "Weight of the sentence-order loss; with 0 samples are no pairs.",
       {},
       kAtLeastZero},

      {"training.steps", &c.training.steps, "Steps of the whole run.", {}, kPositive, "*"},
      {"training.epochs", &c.training.epochs, "Passes over the task's examples (`finetune`).", {}, kPositive},
      {"training.patience",
       &c.training.patience,
       "`finetune`: stop after so many epochs without a better metric; 0: never.",
       {},
       kCount},
      {"training.global_batch",
       &c.training.global_batch,
       "Sequences a step, over all ranks (`finetune`: examples, 32 unless given).",
       {},
       kPositive},
      {"training.micro_batch",
       &c.training.micro_batch,
       "Sequences that a rank computes at once; what `global_batch` is above ranks × this is accumulated. "
       "Changes no result beyond rounding.",
       {},
       kPositive,
       "auto"},
      {"training.precision", &c.training.precision,
       "`auto`: bf16 where the processor computes it natively and faster, else fp32; the log says which.",
       "auto | fp32 | bf16"},
      {"training.backend", &c.training.backend, "auto: a GPU where there is one, else the processor.",
       "auto | cpu | cuda"},
      {"training.clip_norm",
       &c.training.clip_norm,
       "Largest norm of all gradients together; 0: no clipping.",
       {},
       kAtLeastZero},
      {"training.on_nonfinite", &c.training.on_nonfinite,
       "A loss or gradient that is not finite: `stop` the run, naming it, `skip` the step, saying so, or "
       "`rollback`: go back to the newest checkpoint and on from there with the samples after these.",
       "stop | skip | rollback"},
      {"training.on_spike", &c.training.on_spike,
       "A loss that jumps by more than `spike_z_score` standard deviations: the same, or nothing.",
       "ignore | stop | skip | rollback"},
      {"training.spike_z_score",
       &c.training.spike_z_score,
       "Standard deviations above the mean of the steps before.",
       {},
       {1e-3, 1e9}},
      {"training.spike_window",
       &c.training.spike_window,
       "Steps over which that mean is taken; there is no verdict before so many.",
       {},
       {2, 9e15}},
      {"training.check_every",
       &c.training.check_every,
       "Steps between checks for silent corruption: weights equal on all ranks, a micro-batch computed twice "
       "with the same bits; 0: never.",
       {},
       kCount},
      {"training.recompute", &c.training.recompute,
       "Keep only each block's input and compute the rest again in backward: less memory, more time."},
      {"training.deterministic", &c.training.deterministic,
       "Two runs give the same bits on the same machine with the same number of ranks. `false` lets a run on "
       "a GPU choose the algorithms of its matrix products by timing, and keep them for later runs, as "
       "`bench` does."},
      {"training.cuda_graph", &c.training.cuda_graph,
       "A GPU is given a micro-batch's operations as one CUDA graph, with several ranks in pieces between "
       "the "
       "sums of gradients; the same bits. What it brings has not been measured. The processor refuses it."},
      {"training.zero", &c.training.zero,
       "Each rank keeps the optimizer's state of its part of the weights alone and updates that part: 8 "
       "bytes a weight less, but for the rank's share; the same result, the same checkpoints. Ranks exchange "
       "the weights each step."},

      {"optimizer.kind", &c.optimizer.kind, "", registered_names(optimizer_kinds())},
      {"optimizer.learning_rate", &c.optimizer.learning_rate, "The schedule's peak.", {}, kAtLeastZero},
      {"optimizer.beta1", &c.optimizer.beta1, "", {}, kShare},
      {"optimizer.beta2", &c.optimizer.beta2, "", {}, kShare},
      {"optimizer.epsilon", &c.optimizer.epsilon, "Added outside the root.", {}, kAtLeastZero},
      {"optimizer.weight_decay",
       &c.optimizer.weight_decay,
       "Decoupled, times the current rate.",
       {},
       kAtLeastZero},
      {"optimizer.layer_decay",
       &c.optimizer.layer_decay,
       "`finetune`: the rate of a layer is that of the layer above times this; the head has the whole rate.",
       {},
       {1e-6, 1}},

      {"schedule.kind", &c.schedule.kind,
       "s/w of the peak up to w; then `linear`: (S − s + 1)/(S − w + 1); `constant`: 1; `cosine`: half a "
       "wave to 0; `inverse_sqrt`: √(w/s).",
       "linear | constant | cosine | inverse_sqrt"},
      {"schedule.warmup_steps", &c.schedule.warmup_steps, "w.", {}, kCount},
      {"schedule.warmup_share",
       &c.schedule.warmup_share,
       "`finetune`: w as a share of all steps; 0: `warmup_steps`.",
       {},
       kShare},

      {"communication.kind", &c.communication.kind,
       "What sums gradients that lie on GPUs; auto: NCCL where it is found, else MPI. Between processors it "
       "is MPI.",
       "auto | nccl | mpi"},
      {"communication.reduction", &c.communication.reduction,
       "What gradients are summed in over ranks: `bf16` halves what travels and rounds each rank's gradient, "
       "and each partial sum, to 8 bits.",
       "fp32 | bf16"},
      {"communication.timeout",
       &c.communication.timeout,
       "Seconds after which a rank that waits for another ends the job, naming rank, step and collective.",
       {},
       {1e-3, 1e9}},

      {"checkpoint.every_steps",
       &c.checkpoint.every_steps,
       "Steps between checkpoints; one is always written at the last step.",
       {},
       kPositive},
      {"checkpoint.keep",
       &c.checkpoint.keep,
       "How many of the newest stay. One is removed only when a newer one is whole on the disk.",
       {},
       kPositive},
      {"checkpoint.keep_every_steps",
       &c.checkpoint.keep_every_steps,
       "Checkpoints of steps that this divides stay for ever; 0: none.",
       {},
       kCount},
      {"checkpoint.keep_best",
       &c.checkpoint.keep_best,
       "So many with the least validation loss stay too; a checkpoint has one if its step was evaluated.",
       {},
       kCount},
      {"checkpoint.failures_allowed",
       &c.checkpoint.failures_allowed,
       "Checkpoints in a row that may fail to be written (full disk, no permission) before the run stops; "
       "the last one of a run must not fail.",
       {},
       kCount},

      {"evaluation.every_steps",
       &c.evaluation.every_steps,
       "Steps between evaluations while pretraining.",
       {},
       kPositive},
      {"evaluation.batches",
       &c.evaluation.batches,
       "Global batches that one evaluation takes, at most.",
       {},
       kPositive},
  };
}

}  // namespace

std::vector<ConfigKey> config_keys(Config& config) {
  std::vector<ConfigKey> keys = run_keys(config);
  std::ranges::move(text_and_task_keys(config), std::back_inserter(keys));
  return keys;
}

std::span<const ConfigSection> config_sections() {
  return kSections;
}

std::string_view section_of(std::string_view path) {
  const auto dot = path.find('.');
  if (dot != std::string_view::npos) return path.substr(0, dot);
  return path == "corpus" || path == "grid" ? path : "";
}

}  // namespace nystrom
