#include "launch/config/config_table.h"

#include <algorithm>
#include <array>
#include <iterator>

#include "model/attention/registry.h"

namespace nystrom {
namespace {

constexpr OnResume kFree = OnResume::kFree;

/// "nystrom | softmax": the kinds of attention when it is first asked for.
std::string_view attention_choices() {
  static const std::string names = attention_names(" | ");
  return names;
}

const std::array kSections = {
    ConfigSection{"", "all", "", true, true},
    ConfigSection{"run", "pretrain, evaluate", "Output, resuming and monitoring of a run.", true},
    ConfigSection{"model", "pretrain, evaluate, bench",
                  "Shape and arithmetic of the model. With `model.from`, keys not given take that model's "
                  "values.",
                  true},
    ConfigSection{"data", "pretrain, evaluate, bench", "Shards, and how samples are built from them.", true,
                  true},
    ConfigSection{"objective", "pretrain, evaluate",
                  "The loss: `mlm_weight` × MLM loss + `sop_weight` × SOP loss.", true, true},
    ConfigSection{"training", "pretrain, evaluate, bench", "Length of the run, batch sizes, precision.", true,
                  true},
    ConfigSection{"optimizer", "pretrain, bench",
                  "From gradients to weights; the formulas are in docs/training.md. Weight decay applies to "
                  "tensors of two or more dimensions.",
                  true, true},
    ConfigSection{"schedule", "pretrain", "Learning rate at step s = 1 … S, with w warmup steps.", true,
                  true},
    ConfigSection{"communication", "pretrain", "Communication between ranks.", true},
    ConfigSection{"checkpoint", "pretrain", "Checkpoints, from which a run resumes.", true},
    ConfigSection{
        "evaluation", "pretrain, evaluate",
        "Losses on the validation shards, with fixed masks; `finetune`: metrics of the validation split.",
        true, true},
    ConfigSection{"corpus", "prepare", "Raw text (docs/data.md).", false},
    ConfigSection{"tokenizer", "prepare, pretrain, evaluate", "A tokenizer to train, or an existing one.",
                  false},
    ConfigSection{"cleaning", "prepare", "Filtering and deduplication of the text.", false},
    ConfigSection{"output", "prepare", "Output of `prepare`.", false},
    ConfigSection{
        "task", "finetune",
        "Task to fine-tune on (docs/finetuning.md), or whose inputs to pretrain on (docs/lra.md). Custom datasets "
        "are TSV, CSV or JSON-lines files.",
        false},
    ConfigSection{"grid", "finetune", "Grid search: values to try.", false},
};

// A run, the model and its data.
std::vector<ConfigKey> run_keys(Config& c) {
  return {
      {"seed",
       &c.seed,
       "Seed of all random numbers: weights, order, masks, SOP swaps, dropout.",
       {.range = kCount}},

      {"run.directory",
       &c.run.directory,
       "Run directory: metrics, `log.txt`, resolved configuration, `run.json` (program, command line and "
       "machine of each start) and checkpoints.",
       {.unset = "*", .resume = kFree, .path = true}},
      {"run.log_every",
       &c.run.log_every,
       "Steps between reports in the log and in `metrics.jsonl`.",
       {.range = kPositive, .resume = kFree}},
      {"run.resume",
       &c.run.resume,
       "`auto`: resume from the latest valid checkpoint of the run directory, if there is one; `never`: "
       "start from scratch, refused in a used run directory; or the path of a checkpoint.",
       {.resume = kFree, .path = true}},
      {"run.check_shards",
       WordSlot(&c.run.check_shards),
       "Validation of shards in a child process before they are opened, since a corrupt HDF5 file can crash "
       "the HDF5 library. `auto`: their structure, and up to 256 MiB of data of shards in NVIDIA's format, "
       "which have no checksums; `all`: all data.",
       {.resume = kFree}},
      {"run.pinv_residual_every",
       &c.run.pinv_residual_every,
       "Steps between measurements of ‖AZ − I‖_F / √M of each layer's pseudo-inverse for the metrics; 0: "
       "never.",
       {.range = kCount, .resume = kFree}},
      {"run.pinv_residual_limit",
       &c.run.pinv_residual_limit,
       "A measured residual above this is reported as a warning, by layer; 0: never.",
       {.range = kNonNegative, .resume = kFree}},
      {"run.noise_scale_every",
       &c.run.noise_scale_every,
       "Steps between measurements of the gradient noise scale, the batch size beyond which larger ones gain "
       "little (docs/training.md); 0: never. Needs two ranks or micro-batches.",
       {.range = kCount, .resume = kFree}},
      {"run.report",
       &c.run.report,
       "Writes `report.html`, the curves of the run, to the run directory at each validation and at the end "
       "(docs/monitoring.md).",
       {.resume = kFree}},
      {"run.profile_steps",
       &c.run.profile_steps,
       "Steps to profile, such as `20-22` or `20`: a timeline of all ranks is written to the run directory as "
       "`trace-20-22.json`, for ui.perfetto.dev (docs/tracing.md).",
       {.unset = "none", .resume = kFree}},
      {"run.stop_after",
       &c.run.stop_after,
       "Time after which the run saves and stops (exit status 3), such as `11h45m` or `90s`. Choose slightly "
       "less than the scheduler's limit.",
       {.unset = "none", .resume = kFree}},
      {"run.threads",
       &c.run.threads,
       "Threads per rank; `auto`: the cores the rank is bound to, or its share of the machine's.",
       {.range = {1, 4096}, .unset = "auto", .resume = kFree}},
      {"run.on_report",
       &c.run.on_report,
       "Shell command that rank 0 starts with the run, and that reads its reports on standard input: one JSON "
       "object per line (docs/operations.md). It can neither stop nor slow the run. Only accepted by `--set`: a "
       "configuration file may be untrusted.",
       {.unset = "none", .resume = kFree, .command_line = true}},
      {"run.metrics_file",
       &c.run.metrics_file,
       "File with the latest figures in Prometheus' text format, for the textfile collector of its node "
       "exporter; its name ends in `.prom`.",
       {.unset = "none", .resume = kFree, .path = true}},

      {"model.from",
       &c.model.from,
       "Checkpoint, run directory (its best checkpoint, else its latest) or Hugging Face folder to start from: "
       "its weights, and its values of all keys of `model` "
       "not given here.",
       {.unset = "none", .path = true}},
      {"model.vocabulary_size",
       &c.model.vocabulary_size,
       "Rows of the word embedding; `auto`: the tokenizer's size (in `bench` without shards: "
       "`tokenizer.vocabulary_size`). Required for shards in "
       "NVIDIA's format, which name no tokenizer.",
       {.range = kPositive, .unset = "auto"}},
      {"model.hidden_size",
       &c.model.hidden_size,
       "Hidden size C, a multiple of `heads`.",
       {.range = kPositive}},
      {"model.layers", &c.model.layers, "Encoder layers.", {.range = kPositive}},
      {"model.heads", &c.model.attention.heads, "Attention heads.", {.range = kPositive}},
      {"model.intermediate_size",
       &c.model.intermediate_size,
       "Width of the feed-forward layer.",
       {.range = kPositive}},
      {"model.max_positions", &c.model.max_positions, "Maximum sequence length.", {.range = kPositive}},
      {"model.activation", WordSlot(&c.model.activation),
       "Activation of the feed-forward layer; `gelu_new` is the tanh approximation of GELU."},
      {"model.dropout",
       &c.model.dropout,
       "Dropout probability after embeddings, attention output and feed-forward layer.",
       {.range = kFraction}},
      {"model.attention_dropout",
       &c.model.attention_dropout,
       "Dropout probability of attention probabilities; `softmax` and `longformer` only.",
       {.range = kFraction}},
      {"model.layer_norm_epsilon",
       &c.model.layer_norm_epsilon,
       "Epsilon of layer normalization.",
       {.range = kNonNegative}},
      {"model.initializer_range",
       &c.model.initializer_range,
       "Standard deviation of the initial weights; with `initialization: torch` only of the embedding tables.",
       {.range = kNonNegative}},
      {"model.initialization", WordSlot(&c.model.initialization),
       "Initialization of linear layers and of the convolution. `normal`: weights normal with `initializer_range`, biases 0; "
       "`torch`: weights and biases uniform in ±1/√n with n the fan-in, as in PyTorch's layers."},
      {"model.norm", WordSlot(&c.model.network.norm),
       "`post`: LayerNorm after each sublayer of a block; `pre`: before each, and once more after the last block."},
      {"model.embedding_norm", &c.model.network.embedding_norm, "LayerNorm of the embeddings."},
      {"model.positions", WordSlot(&c.model.network.positions),
       "`learned`: a table; `sinusoidal`: fixed, added to the embeddings; `rotary`: queries and keys are rotated (RoPE); "
       "`row_column`: for images, the sum of a table of rows and one of columns."},
      {"model.picture_width",
       &c.model.network.picture_width,
       "`positions: row_column`: width of the images in pixels; `auto`: that of the task's images.",
       {.range = {1, 1 << 20}, .unset = "auto"}},
      {"model.pooling", WordSlot(&c.model.network.pooling),
       "Input of a classifier of sequences or pairs, and the embedding of a text: the first token, or the mean or "
       "maximum over all tokens. `finetune` of embeddings: by default that of `model.from` if it has embeddings, "
       "otherwise `mean`."},
      {"model.classifier", WordSlot(&c.model.network.classifier),
       "Activation between the two layers of such a classifier. `activation`: `model.activation`, as in "
       "transformers; `tanh`; `relu_mlp`: ReLU."},
      {"model.classifier_size",
       &c.model.network.classifier_size,
       "Width between those layers; `auto`: `hidden_size`.",
       {.range = kPositive, .unset = "auto"}},
      {"model.normalize", &c.model.network.normalize,
       "Embeddings are scaled to length 1, by `predict` and in exported folders. `finetune` of embeddings: by "
       "default as in `model.from` if it has embeddings, otherwise true."},
      {"model.reinitialize_layers",
       &c.model.reinitialize_layers,
       "`finetune`: number of top layers that are reinitialized instead of loaded from `model.from`.",
       {.range = kCount}},
      {"model.reinitialize_head", &c.model.reinitialize_head,
       "`finetune`: reinitialize a head of `model.from` that has another number of labels, instead of "
       "refusing it."},
      {"model.attention.kind",
       &c.model.attention.kind,
       "Attention (docs/attention.md); `softmax` with `convolution: 0` is BERT's. `none`: only the "
       "convolution mixes tokens.",
       {.choices = attention_choices()}},
      {"model.attention.landmarks",
       &c.model.attention.landmarks,
       "Number of landmarks m. A sequence of at most m tokens gets exact softmax attention.",
       {.range = kPositive}},
      {"model.attention.convolution",
       &c.model.attention.taps,
       "Kernel size of the depthwise convolution of the values, odd; 0: none (Hugging Face's `null`).",
       {.range = kCount}},
      {"model.attention.pinv_iterations",
       &c.model.attention.pinv_iterations,
       "Iterations of the pseudo-inverse.",
       {.range = {1, 1 << 20}}},
      {"model.attention.pinv_init", WordSlot(&c.model.attention.pinv_init),
       "Scale of the pseudo-inverse's initial value: one per matrix, or one for a whole micro-batch (the "
       "original code's default, and the only option with which the micro-batch changes the result)."},
      {"model.attention.window",
       &c.model.attention.window,
       "`longformer`: a token attends to this many tokens around it, half before and half behind; even.",
       {.range = kPositive}},
      {"model.attention.global_tokens", WordSlot(&c.model.attention.global_tokens),
       "`longformer`: `first`: the first token attends to all tokens, and all attend to it."},
      {"model.attention.projection",
       &c.model.attention.projection,
       "`linformer`: number of rows that keys and values are projected to. The projections have a column for "
       "each of `model.max_positions`.",
       {.range = kPositive}},
      {"model.attention.projection_sharing", WordSlot(&c.model.attention.projection_sharing),
       "`linformer`: `kv`: keys and values have one projection."},
      {"model.attention.features",
       &c.model.attention.features,
       "`performer`: number of random features per head.",
       {.range = kPositive}},
      {"model.attention.redraw_every",
       &c.model.attention.redraw_every,
       "`performer`: training steps between new random features; 0: never. Outside of training fixed ones are "
       "used.",
       {.range = kCount}},
      {"model.attention.hashes",
       &c.model.attention.hashes,
       "`reformer`: rounds of hashing.",
       {.range = kPositive}},
      {"model.attention.chunk",
       &c.model.attention.chunk,
       "`reformer`: tokens per chunk; a token attends to its chunk and the previous one, in each round.",
       {.range = kPositive}},
      {"model.attention.padding", WordSlot(&c.model.attention.padding),
       "`exact`: padding has no effect; `huggingface`: sequences are padded to `data.sequence_length`, and "
       "only the third softmax is masked."},

      {"data.shards",
       &c.data.shards,
       "Training shards: file patterns, in this program's format or NVIDIA's, recognized by content. By default "
       "those that `prepare` writes: `train/*.h5` in `output.directory`. Without them `task.kind: lra` "
       "takes their place: the task's own inputs (docs/lra.md).",
       {.unset = "*", .path = true}},
      {"data.validation",
       &c.data.validation,
       "Held-out shards; `[]`: none. If `data.shards` is not given, by default `validation/*.h5` in "
       "`output.directory` if there are any.",
       {.unset = "[]", .path = true}},
      {"data.sequence_length",
       &c.data.sequence_length,
       "Tokens of a sample, special tokens included; `auto`: the smaller of 512 and `model.max_positions`.",
       {.range = kPositive, .unset = "auto"}},
      {"data.shuffle", &c.data.shuffle, "Reshuffle the samples each epoch; `false`: the shards' order."},
      {"data.mixture",
       &c.data.mixture,
       "Sampling weights of the corpora in the shards, such as `{wikipedia: 3, books: 1}`; 0 excludes a "
       "corpus. None: in proportion to size.",
       {.unset = "none"}},
      {"data.packing", WordSlot(&c.data.packing),
       "`sentences`: a sample comes from one document; `documents`: whole documents share a sample if "
       "they fit."},
      {"data.pairs", WordSlot(&c.data.pairs),
       "Sentence-order pairs. `exact`: each token once per epoch, no label without a sentence boundary; "
       "`original`: truncated and filled as in the original code's preparation (and ALBERT's)."},
      {"data.short_sequence_probability",
       &c.data.short_sequence_probability,
       "Fraction of the samples that are shortened to a uniformly random length (0.1 in BERT).",
       {.range = kFraction}},
      {"data.masking.probability",
       &c.data.masking.probability,
       "Fraction of tokens to predict.",
       {.range = {1e-6, 1}}},
      {"data.masking.mask",
       &c.data.masking.mask,
       "Fraction of those replaced by the mask token; of a task's inputs all, unless this or `random` is given.",
       {.range = kFraction}},
      {"data.masking.random",
       &c.data.masking.random,
       "Fraction of those replaced by a random token; the rest is unchanged.",
       {.range = kFraction}},
      {"data.masking.unit", WordSlot(&c.data.masking.unit), "Unit that is masked as a whole."},

      {"objective.mlm_weight",
       &c.objective.mlm_weight,
       "Weight of the masked-language-model loss.",
       {.range = kNonNegative}},
      {"objective.sop_weight",
       &c.objective.sop_weight,
       "Weight of the sentence-order loss; with 0, samples are single segments, not pairs. 0 with a task's inputs.",
       {.range = kNonNegative}},
  };
}

}  // namespace

std::vector<ConfigKey> config_keys(Config& config) {
  std::vector<ConfigKey> keys = run_keys(config);
  std::ranges::move(training_keys(config), std::back_inserter(keys));
  std::ranges::move(text_and_task_keys(config), std::back_inserter(keys));
  return keys;
}

std::span<const ConfigSection> config_sections() {
  return kSections;
}

bool may_be_in_grid(std::string_view path) {
  return path != "grid" && path != "corpus" && !path.starts_with("run.") &&
         !path.starts_with("communication.");
}

std::string_view section_of(std::string_view path) {
  const auto dot = path.find('.');
  if (dot != std::string_view::npos) return path.substr(0, dot);
  return path == "corpus" || path == "grid" ? path : "";
}

}  // namespace nystrom
