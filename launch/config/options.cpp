#include "launch/config/options.h"

#include <algorithm>
#include <limits>

#include "model/attention/registry.h"
#include "model/check.h"
#include "trainer/run/run_session.h"

namespace nystrom {
namespace {

/// The value of a key: the given one, or else the base model's.
template <class T>
void take(const Config& config, std::string_view key, const T& value, const ModelConfig* base, T& to) {
  if (base == nullptr || config.gives(key)) to = value;
}

std::map<std::string, std::string> given_columns(const Config& config) {
  std::map<std::string, std::string> columns;
  const auto& c = config.task.column_names;
  for (const auto& [role, name] : {std::pair{"text", &c.text},
                                   {"pair", &c.pair},
                                   {"label", &c.label},
                                   {"id", &c.id},
                                   {"word", &c.word},
                                   {"tag", &c.tag},
                                   {"beginning", &c.beginning},
                                   {"negative", &c.negative},
                                   {"score", &c.score}})
    if (!name->empty()) columns[role] = *name;
  return columns;
}

TrainerOptions trainer_options(const Config& config) {
  const auto& t = config.training;
  TrainerOptions options;
  options.steps = t.steps.value_or(0);
  options.seed = static_cast<std::uint64_t>(config.seed);
  options.optimizer = config.optimizer;
  options.schedule = config.schedule;
  options.clip_norm = t.clip_norm;
  options.on_nonfinite = t.on_nonfinite;
  options.spike = t.spike;
  options.check_every = t.check_every;
  options.zero = t.zero;
  options.cuda_graph = t.cuda_graph;
  options.bucket_bytes = config.communication.bucket_mib.value_or(0) << 20;
  options.bf16_reduction = config.communication.reduction == Precision::kBF16;
  options.log_every = config.run.log_every;
  options.pinv_residual_every = config.run.pinv_residual_every;
  options.noise_scale_every = config.run.noise_scale_every;
  options.report_batch = !t.batch_schedule.empty();
  options.pinv_residual_limit = config.run.pinv_residual_limit;
  options.validate_every = config.data.validation.empty() ? 0 : config.evaluation.every_steps;
  options.validation_batches = config.evaluation.batches;
  options.evaluated_weights = config.evaluation.weights;
  options.save_every = config.checkpoint.every_steps;
  options.keep = config.checkpoint.keep;
  options.failures_allowed = config.checkpoint.failures_allowed;
  options.timeout_seconds = config.communication.timeout;
  return options;
}

}  // namespace

ModelConfig model_options(const Config& config, const ModelConfig* base) {
  const auto& m = config.model;
  ModelConfig c = base != nullptr ? *base : ModelConfig{};
  if (m.vocabulary_size) c.vocabulary_size = *m.vocabulary_size;
  take(config, "model.hidden_size", m.hidden_size, base, c.hidden_size);
  take(config, "model.layers", m.layers, base, c.layers);
  take(config, "model.heads", m.attention.heads, base, c.attention.heads);
  take(config, "model.intermediate_size", m.intermediate_size, base, c.intermediate_size);
  take(config, "model.max_positions", m.max_positions, base, c.max_positions);
  take(config, "model.activation", m.activation, base, c.activation);
  take(config, "model.dropout", m.dropout, base, c.dropout);
  take(config, "model.attention_dropout", m.attention_dropout, base, c.attention_dropout);
  take(config, "model.layer_norm_epsilon", m.layer_norm_epsilon, base, c.layer_norm_epsilon);
  take(config, "model.initializer_range", m.initializer_range, base, c.initializer_range);
  take(config, "model.initialization", m.initialization, base, c.initialization);
  const auto& a = m.attention;
  take(config, "model.attention.kind", a.kind, base, c.attention.kind);
  AttentionConfig::visit_options(
      [&](const char* key, const auto& value, auto& to) {
        take(config, std::string("model.attention.") + key, value, base, to);
      },
      a, c.attention);
  NetworkConfig::visit_options([&](const char* key, const auto& value,
                                   auto& to) { take(config, std::string("model.") + key, value, base, to); },
                               m.network, c.network);
  take(config, "model.attention.padding", a.padding, base, c.padding);
  check(c);
  if (base != nullptr && c.layers < base->layers)
    refuse(
        "`model.layers` is {}, but {} has {} layers, of which the upper ones would be lost; remove the key.",
        c.layers, config.model.from, base->layers);
  return c;
}

void set_model(Config& config, const ModelConfig& c) {
  auto& m = config.model;
  m.vocabulary_size = c.vocabulary_size;
  m.hidden_size = c.hidden_size;
  m.layers = c.layers;
  m.intermediate_size = c.intermediate_size;
  m.max_positions = c.max_positions;
  m.activation = c.activation;
  m.dropout = c.dropout;
  m.attention_dropout = c.attention_dropout;
  m.layer_norm_epsilon = c.layer_norm_epsilon;
  m.initializer_range = c.initializer_range;
  m.initialization = c.initialization;
  m.attention = {c.attention, c.padding};
  m.network = c.network;
}

Masking masking_options(const Config& config) {
  const Masking& masking = config.data.masking;
  if (masking.mask + masking.random > 1)
    refuse("`data.masking.mask` ({}) and `data.masking.random` ({}) are more than 1 together; lower one.",
           masking.mask, masking.random);
  return masking;
}

PrepareOptions prepare_options(const Config& config) {
  PrepareOptions options;
  options.corpora = config.corpus;
  options.cleaning = config.cleaning;
  options.tokenizer.path = config.tokenizer.path;
  options.tokenizer.training = config.tokenizer;
  if (!config.tokenizer.path.empty()) options.tokenizer.training.names = given_special_names(config);
  options.directory = config.output.directory;
  options.shard_tokens = config.output.shard_tokens;
  options.validation_fraction = config.output.validation_fraction;
  options.test_fraction = config.output.test_fraction;
  options.seed = static_cast<std::uint64_t>(config.seed);
  options.normalization = config.output.normalization;
  options.threads = static_cast<int>(config.run.threads.value_or(0));
  return options;
}

TaskConfig task_options(const Config& config) {
  TaskConfig options = config.task;
  options.columns = given_columns(config);
  options.seed = static_cast<std::uint64_t>(config.seed);
  return options;
}

SpecialNames given_special_names(const Config& config) {
  const SpecialNames& names = config.tokenizer.names;
  const auto given = [&](std::string_view key, const std::string& name) {
    return config.gives(key) ? name : std::string();
  };
  return {given("tokenizer.special_tokens.bos", names.bos), given("tokenizer.special_tokens.pad", names.pad),
          given("tokenizer.special_tokens.eos", names.eos), given("tokenizer.special_tokens.unk", names.unk),
          given("tokenizer.special_tokens.mask", names.mask)};
}

Objective objective_options(const Config& config) {
  if (config.objective.mlm_weight == 0 && config.objective.sop_weight == 0)
    refuse(
        "`objective.mlm_weight` and `objective.sop_weight` are both 0: there is nothing to learn; raise "
        "one.");
  return {.weights = {config.objective.mlm_weight, config.objective.sop_weight}};
}

PretrainOptions run_options(const Config& config) {
  const std::int64_t steps = config.training.steps.value_or(1);
  const std::int64_t batch =
      BatchSizes(config.training.global_batch, config.training.batch_schedule).largest();
  if (steps > std::numeric_limits<std::int64_t>::max() / batch)
    refuse("`training.steps` x `training.global_batch` is {} x {}: more sequences than can be counted.",
           steps, batch);
  PretrainOptions options;
  options.directory = config.run.directory;
  options.resume = find_named<Resume>(config.run.resume).value_or(Resume::kPath);
  if (options.resume == Resume::kPath) options.resume_path = config.run.resume;
  options.stop_after_seconds = duration_seconds(config.run.stop_after, "run.stop_after");
  if (!config.run.metrics_file.empty() && !config.run.metrics_file.ends_with(".prom"))
    refuse(
        "`run.metrics_file` is {}; its name must end in .prom: others are not read by Prometheus' node exporter.",
        config.run.metrics_file);
  options.may_change = may_change_on_resume;
  options.defaults = finetuning_values(Config());
  options.may_change_in_fork = may_change_in_fork;
  options.recompute = config.training.recompute;
  options.threads = static_cast<int>(config.run.threads.value_or(0));
  options.communication = {.kind = config.communication.kind,
                           .timeout_seconds = config.communication.timeout};
  options.global_batch = config.training.global_batch;
  options.batch_schedule = config.training.batch_schedule;
  options.micro_batch = config.training.micro_batch.value_or(0);
  options.sequence_ranks = static_cast<int>(config.communication.sequence_ranks);
  options.trainer = trainer_options(config);
  options.trainer.profile = {.steps = profiled_steps(config.run.profile_steps, "run.profile_steps"),
                             .directory = config.run.directory};
  return options;
}

std::int64_t sequence_length(const Config& config, const ModelConfig& model) {
  const std::int64_t length =
      config.data.sequence_length.value_or(std::min<std::int64_t>(512, model.max_positions));
  if (length > model.max_positions)
    refuse("`data.sequence_length` is {}, but `model.max_positions` is {}; lower one or raise the other.",
           length, model.max_positions);
  return length;
}

std::vector<std::string> notes_on(const ModelConfig& model, std::int64_t length) {
  return attention_entry(model.attention.kind).warnings(model.attention, length);
}

}  // namespace nystrom
