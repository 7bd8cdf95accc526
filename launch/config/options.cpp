#include "launch/config/options.h"

#include <algorithm>

#include "kernels/tensor/cpu_features.h"
#include "model/attention/registry.h"
#include "model/check.h"

namespace nystrom {
namespace {

// The value of a key: the given one, or else the base model's.
template <class T, class From>
void take(const Config& config, std::string_view key, const From& value, const ModelConfig* base, T& to) {
  if (base == nullptr || config.gives(key)) to = static_cast<T>(value);
}

OnTrouble trouble_action(const std::string& word) {
  if (word == "ignore") return OnTrouble::kIgnore;
  if (word == "skip") return OnTrouble::kSkip;
  if (word == "rollback") return OnTrouble::kRollBack;
  return OnTrouble::kStop;
}

}  // namespace

ModelConfig model_options(const Config& config, const ModelConfig* base) {
  const auto& m = config.model;
  ModelConfig c = base != nullptr ? *base : ModelConfig{};
  if (m.vocabulary_size) c.vocabulary_size = *m.vocabulary_size;
  take(config, "model.hidden_size", m.hidden_size, base, c.hidden_size);
  take(config, "model.layers", m.layers, base, c.layers);
  take(config, "model.heads", m.heads, base, c.attention.heads);
  take(config, "model.intermediate_size", m.intermediate_size, base, c.intermediate_size);
  take(config, "model.max_positions", m.max_positions, base, c.max_positions);
  take(config, "model.activation", m.activation == "gelu" ? Activation::kGelu : Activation::kGeluNew, base,
       c.activation);
  take(config, "model.dropout", m.dropout, base, c.dropout);
  take(config, "model.attention_dropout", m.attention_dropout, base, c.attention_dropout);
  take(config, "model.layer_norm_epsilon", m.layer_norm_epsilon, base, c.layer_norm_epsilon);
  take(config, "model.initializer_range", m.initializer_range, base, c.initializer_range);
  const auto& a = m.attention;
  take(config, "model.attention.kind", a.kind, base, c.attention.kind);
  take(config, "model.attention.landmarks", a.landmarks, base, c.attention.landmarks);
  take(config, "model.attention.convolution", a.convolution, base, c.attention.taps);
  take(config, "model.attention.pinv_iterations", a.pinv_iterations, base, c.attention.pinv_iterations);
  take(config, "model.attention.pinv_init",
       a.pinv_init == "batch_max" ? PinvInit::kBatchMax : PinvInit::kPerMatrix, base, c.attention.pinv_init);
  take(config, "model.attention.padding", a.padding == "huggingface", base, c.huggingface_padding);
  check(c);
  return c;
}

void set_model(Config& config, const ModelConfig& c) {
  auto& m = config.model;
  m.vocabulary_size = c.vocabulary_size;
  m.hidden_size = c.hidden_size;
  m.layers = c.layers;
  m.heads = c.attention.heads;
  m.intermediate_size = c.intermediate_size;
  m.max_positions = c.max_positions;
  m.activation = c.activation == Activation::kGelu ? "gelu" : "gelu_new";
  m.dropout = c.dropout;
  m.attention_dropout = c.attention_dropout;
  m.layer_norm_epsilon = c.layer_norm_epsilon;
  m.initializer_range = c.initializer_range;
  m.attention.kind = c.attention.kind;
  m.attention.landmarks = c.attention.landmarks;
  m.attention.convolution = c.attention.taps;
  m.attention.pinv_iterations = c.attention.pinv_iterations;
  m.attention.pinv_init = c.attention.pinv_init == PinvInit::kBatchMax ? "batch_max" : "per_matrix";
  m.attention.padding = c.huggingface_padding ? "huggingface" : "exact";
}

Masking masking_options(const Config& config) {
  const auto& m = config.data.masking;
  if (m.mask + m.random > 1)
    refuse("data.masking.mask ({}) and data.masking.random ({}) are more than 1 together; lower one", m.mask,
           m.random);
  Masking masking{.probability = m.probability, .mask = m.mask, .random = m.random};
  if (m.unit == "word") masking.unit = MaskUnit::kWord;
  if (m.unit == "span") masking.unit = MaskUnit::kSpan;
  return masking;
}

TokenizerTraining tokenizer_options(const Config& config) {
  const auto& t = config.tokenizer;
  TokenizerTraining training;
  training.kind = t.kind;
  training.vocabulary_size = static_cast<std::int32_t>(t.vocabulary_size);
  training.names = {t.special_tokens.bos, t.special_tokens.pad, t.special_tokens.eos, t.special_tokens.unk,
                    t.special_tokens.mask};
  const auto id = [](std::int64_t value) { return static_cast<std::int32_t>(value); };
  training.ids = {id(t.special_ids.bos), id(t.special_ids.pad), id(t.special_ids.eos), id(t.special_ids.unk),
                  id(t.special_ids.mask)};
  training.lowercase = t.lowercase;
  training.character_coverage = t.character_coverage;
  return training;
}

SpecialNames given_special_names(const Config& config) {
  const auto& names = config.tokenizer.special_tokens;
  const auto given = [&](std::string_view key, const std::string& name) {
    return config.gives(key) ? name : std::string();
  };
  return {given("tokenizer.special_tokens.bos", names.bos), given("tokenizer.special_tokens.pad", names.pad),
          given("tokenizer.special_tokens.eos", names.eos), given("tokenizer.special_tokens.unk", names.unk),
          given("tokenizer.special_tokens.mask", names.mask)};
}

Objective objective_options(const Config& config) {
  if (config.objective.mlm_weight == 0 && config.objective.sop_weight == 0)
    refuse("objective.mlm_weight and objective.sop_weight are both 0; nothing would be learned");
  return {.weights = {config.objective.mlm_weight, config.objective.sop_weight}};
}

TrainerOptions trainer_options(const Config& config) {
  TrainerOptions options;
  options.steps = config.training.steps.value();
  options.seed = static_cast<std::uint64_t>(config.seed);
  options.objective = objective_options(config);
  const auto& o = config.optimizer;
  options.optimizer = {.kind = o.kind,
                       .learning_rate = o.learning_rate,
                       .beta1 = o.beta1,
                       .beta2 = o.beta2,
                       .epsilon = o.epsilon,
                       .weight_decay = o.weight_decay,
                       .layer_decay = o.layer_decay};
  options.schedule = {.kind = parse_schedule_kind(config.schedule.kind),
                      .warmup_steps = config.schedule.warmup_steps};
  options.clip_norm = config.training.clip_norm;
  options.on_nonfinite = trouble_action(config.training.on_nonfinite);
  options.spike = {.action = trouble_action(config.training.on_spike),
                   .z_score = config.training.spike_z_score,
                   .window = config.training.spike_window};
  options.check_every = config.training.check_every;
  options.zero = config.training.zero;
  options.cuda_graph = config.training.cuda_graph;
  options.bf16_reduction = config.communication.reduction == "bf16";
  options.log_every = config.run.log_every;
  options.pinv_residual_every = config.run.pinv_residual_every;
  options.pinv_residual_limit = config.run.pinv_residual_limit;
  options.validate_every = config.data.validation.empty() ? 0 : config.evaluation.every_steps;
  options.validation_batches = config.evaluation.batches;
  options.save_every = config.checkpoint.every_steps;
  options.keep = {.newest = config.checkpoint.keep,
                  .every = config.checkpoint.keep_every_steps,
                  .best = config.checkpoint.keep_best};
  options.failures_allowed = config.checkpoint.failures_allowed;
  options.timeout_seconds = config.communication.timeout;
  return options;
}

std::int64_t sequence_length(const Config& config, const ModelConfig& model) {
  const std::int64_t length =
      config.data.sequence_length.value_or(std::min<std::int64_t>(512, model.max_positions));
  if (length > model.max_positions)
    refuse("data.sequence_length is {}, but model.max_positions is {}; lower the one or raise the other",
           length, model.max_positions);
  return length;
}

std::vector<std::string> notes_on(const ModelConfig& model, std::int64_t length) {
  return attention_entry(model.attention.kind).warnings(model.attention, length);
}

}  // namespace nystrom
