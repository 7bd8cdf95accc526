#include "launch/config/key_guess.h"

#include <algorithm>
#include <limits>

#include "kernels/core/check.h"
#include "launch/config/config_table.h"
#include "launch/config/suggestion.h"

namespace nystrom {
namespace {

constexpr std::string_view kGlobalBatch = "sequences per step, over all ranks";
constexpr std::string_view kMicroBatch = "per rank; `training.global_batch` is that of a step";
constexpr std::string_view kAccumulation =
    "gradients are accumulated up to it, in micro-batches of `training.micro_batch`";
constexpr std::string_view kPrecision = "fp32, bf16 or auto";
constexpr std::string_view kEpochs = "in `finetune`; `pretrain` counts `training.steps`";
constexpr std::string_view kWarmup = "in `finetune`; `pretrain` takes `schedule.warmup_steps`";
constexpr std::string_view kMadeByPrepare = "what `prepare` makes of the files of `corpus`";

constexpr ForeignKey kForeignKeys[] = {
    {"lr", "optimizer.learning_rate"},
    {"base_lr", "optimizer.learning_rate"},
    {"max_lr", "optimizer.learning_rate"},
    {"peak_lr", "optimizer.learning_rate"},
    {"optim", "optimizer.kind"},
    {"wd", "optimizer.weight_decay"},
    {"adam_beta1", "optimizer.beta1"},
    {"adam_beta2", "optimizer.beta2"},
    {"adam_epsilon", "optimizer.epsilon"},
    {"adam_eps", "optimizer.epsilon"},
    {"eps", "optimizer.epsilon"},
    {"layerwise_lr_decay", "optimizer.layer_decay"},
    {"llrd", "optimizer.layer_decay"},

    {"lr_scheduler", "schedule.kind"},
    {"lr_scheduler_type", "schedule.kind"},
    {"lr_decay_style", "schedule.kind"},
    {"scheduler", "schedule.kind"},
    {"warmup", "schedule.warmup_steps"},
    {"num_warmup_steps", "schedule.warmup_steps"},
    {"lr_warmup_steps", "schedule.warmup_steps"},
    {"warmup_iters", "schedule.warmup_steps"},
    {"warmup_updates", "schedule.warmup_steps"},
    {"warmup_ratio", "schedule.warmup_share", kWarmup},
    {"warmup_fraction", "schedule.warmup_share", kWarmup},
    {"warmup_proportion", "schedule.warmup_share", kWarmup},

    {"batch_size", "training.global_batch", kGlobalBatch},
    {"train_batch_size", "training.global_batch", kGlobalBatch},
    {"total_batch_size", "training.global_batch", kGlobalBatch},
    {"global_batch_size", "training.global_batch", kGlobalBatch},
    {"per_device_train_batch_size", "training.micro_batch", kMicroBatch},
    {"per_gpu_train_batch_size", "training.micro_batch", kMicroBatch},
    {"micro_batch_size", "training.micro_batch", kMicroBatch},
    {"gradient_accumulation_steps", "training.global_batch", kAccumulation},
    {"accumulate_grad_batches", "training.global_batch", kAccumulation},
    {"update_freq", "training.global_batch", kAccumulation},
    {"max_steps", "training.steps"},
    {"num_steps", "training.steps"},
    {"num_train_steps", "training.steps"},
    {"num_training_steps", "training.steps"},
    {"total_steps", "training.steps"},
    {"train_iters", "training.steps"},
    {"max_iters", "training.steps"},
    {"max_update", "training.steps"},
    {"num_train_epochs", "training.epochs", kEpochs},
    {"num_epochs", "training.epochs", kEpochs},
    {"max_epochs", "training.epochs", kEpochs},
    {"max_epoch", "training.epochs", kEpochs},
    {"early_stopping_patience", "training.patience"},
    {"fp16", "training.precision", kPrecision},
    {"bf16", "training.precision", kPrecision},
    {"fp32", "training.precision", kPrecision},
    {"amp", "training.precision", kPrecision},
    {"mixed_precision", "training.precision", kPrecision},
    {"dtype", "training.precision", kPrecision},
    {"torch_dtype", "training.precision", kPrecision},
    {"max_grad_norm", "training.clip_norm"},
    {"clip_grad_norm", "training.clip_norm"},
    {"clip_grad", "training.clip_norm"},
    {"grad_clip", "training.clip_norm"},
    {"gradient_clip_val", "training.clip_norm"},
    {"gradient_checkpointing", "training.recompute"},
    {"activation_checkpointing", "training.recompute"},
    {"zero_stage", "training.zero", "true is stage 1"},
    {"device", "training.backend"},
    {"accelerator", "training.backend"},
    {"no_cuda", "training.backend"},
    {"use_cpu", "training.backend"},

    {"hidden_dim", "model.hidden_size"},
    {"d_model", "model.hidden_size"},
    {"n_embd", "model.hidden_size"},
    {"embed_dim", "model.hidden_size"},
    {"num_layers", "model.layers"},
    {"num_hidden_layers", "model.layers"},
    {"n_layer", "model.layers"},
    {"n_layers", "model.layers"},
    {"encoder_layers", "model.layers"},
    {"num_heads", "model.heads"},
    {"num_attention_heads", "model.heads"},
    {"n_head", "model.heads"},
    {"n_heads", "model.heads"},
    {"intermediate_dim", "model.intermediate_size"},
    {"ffn_dim", "model.intermediate_size"},
    {"ffn_hidden_size", "model.intermediate_size"},
    {"dim_feedforward", "model.intermediate_size"},
    {"d_ff", "model.intermediate_size"},
    {"max_position_embeddings", "model.max_positions"},
    {"n_positions", "model.max_positions"},
    {"hidden_act", "model.activation"},
    {"activation_function", "model.activation"},
    {"hidden_dropout_prob", "model.dropout"},
    {"hidden_dropout", "model.dropout"},
    {"attention_probs_dropout_prob", "model.attention_dropout"},
    {"layer_norm_eps", "model.layer_norm_epsilon"},
    {"vocab_size", "model.vocabulary_size", "that of a tokenizer to train is `tokenizer.vocabulary_size`"},
    {"num_landmarks", "model.attention.landmarks"},
    {"conv_kernel_size", "model.attention.convolution"},
    {"model_name_or_path", "model.from"},
    {"init_checkpoint", "model.from"},

    {"max_seq_length", "data.sequence_length"},
    {"max_seq_len", "data.sequence_length"},
    {"seq_length", "data.sequence_length"},
    {"seq_len", "data.sequence_length"},
    {"max_length", "data.sequence_length"},
    {"block_size", "data.sequence_length"},
    {"tokens_per_sample", "data.sequence_length"},
    {"mlm_probability", "data.masking.probability"},
    {"masked_lm_prob", "data.masking.probability"},
    {"mask_prob", "data.masking.probability"},
    {"train_file", "data.shards", kMadeByPrepare},
    {"train_data", "data.shards", kMadeByPrepare},
    {"data_path", "data.shards", kMadeByPrepare},
    {"validation_file", "data.validation", kMadeByPrepare},
    {"valid_data", "data.validation", kMadeByPrepare},

    {"output_dir", "run.directory", "`prepare` writes to `output.directory`"},
    {"save_dir", "run.directory", "`prepare` writes to `output.directory`"},
    {"logging_steps", "run.log_every"},
    {"log_interval", "run.log_every"},
    {"log_every_n_steps", "run.log_every"},
    {"resume_from_checkpoint", "run.resume"},
    {"num_threads", "run.threads"},
    {"save_steps", "checkpoint.every_steps"},
    {"save_interval", "checkpoint.every_steps"},
    {"save_total_limit", "checkpoint.keep"},
    {"eval_steps", "evaluation.every_steps"},
    {"eval_interval", "evaluation.every_steps"},
    {"tokenizer_name", "tokenizer.path"},
    {"tokenizer_name_or_path", "tokenizer.path"},
    {"metric_for_best_model", "task.metric"},
    {"random_seed", "seed"},
};

std::string last_part(std::string_view path) {
  return std::string(path.substr(path.rfind('.') + 1));
}

// "per-device-train-batch-size" as in the table.
std::string normal(std::string name) {
  for (char& c : name) c = c == '-' ? '_' : c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return name;
}

// A key in the wrong section is nearer than a like-looking one: only the last part is compared then.
std::string nearest_key(const std::string& unknown) {
  std::pair<int, std::string> best{std::numeric_limits<int>::max(), ""};
  const std::string last = last_part(unknown);
  const auto offer = [&](std::string_view known) {
    const std::string other = last_part(known);
    if (!is_near(last, other)) return;  // an equal section makes no key like another
    const bool as_deep = std::ranges::count(unknown, '.') == std::ranges::count(known, '.');
    const int part = edit_distance(last, other) + 1;
    const int distance = as_deep ? std::min(edit_distance(unknown, known), part) : part;
    if (distance < best.first) best = {distance, std::string(known)};
  };
  Config any;
  for (const ConfigKey& key : config_keys(any)) offer(key.path);
  for (const ConfigSection& section : config_sections())
    if (!section.name.empty()) offer(section.name);
  return best.second;
}

}  // namespace

std::span<const ForeignKey> foreign_keys() {
  return kForeignKeys;
}

std::string guess_key(const std::string& unknown) {
  const std::string name = normal(last_part(unknown));
  const std::string nearest = nearest_key(unknown);
  const auto foreign = std::ranges::find(kForeignKeys, name, &ForeignKey::name);
  if (foreign != std::end(kForeignKeys) && (nearest.empty() || last_part(nearest) != name))
    return foreign->remark.empty() ? fmt::format("here it is `{}`.", foreign->key)
                                   : fmt::format("here it is `{}` ({}).", foreign->key, foreign->remark);
  return nearest.empty() ? "`nystrom --help-config` lists all keys."
                         : fmt::format("did you mean `{}`?", nearest);
}

}  // namespace nystrom
