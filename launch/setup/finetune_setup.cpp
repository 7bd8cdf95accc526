#include "launch/setup/finetune_setup.h"

#include <algorithm>
#include <filesystem>

#include "kernels/core/json.h"
#include "launch/cli/command.h"
#include "launch/cli/failure.h"
#include "launch/cli/log.h"
#include "launch/cli/run_progress.h"
#include "launch/config/options.h"
#include "launch/setup/backend.h"
#include "launch/setup/run_setup.h"
#include "model/exchange/warm_start.h"
#include "trainer/checkpoint/checkpoint.h"
#include "trainer/run/run_session.h"
#include "trainer/tasks/task_results.h"

namespace nystrom {
namespace {

constexpr std::int64_t kUsualBatch = 32;

std::map<std::string, std::string> given_columns(const Config& config) {
  std::map<std::string, std::string> columns;
  const auto& c = config.task.columns;
  for (const auto& [role, name] : {std::pair{"text", &c.text},
                                   {"pair", &c.pair},
                                   {"label", &c.label},
                                   {"id", &c.id},
                                   {"word", &c.word},
                                   {"tag", &c.tag},
                                   {"beginning", &c.beginning}})
    if (!name->empty()) columns[role] = *name;
  return columns;
}

Tokenizer tokenizer_for(const FinetuneSetup& setup) {
  const Config& config = setup.config;
  Tokenizer own = setup.from ? setup.from->tokenizer() : Tokenizer();
  if (config.tokenizer.path.empty()) {
    if (own.empty())
      refuse("{}; set `tokenizer.path`.", setup.from
                                              ? setup.from->path() + " has no tokenizer"
                                              : std::string("Without `model.from` there is no tokenizer"));
    return own;
  }
  Tokenizer given = Tokenizer::read(config.tokenizer.path, given_special_names(config));
  if (!own.empty() && own.sha256() != given.sha256())
    refuse("`tokenizer.path`: {} is not the tokenizer of {} (SHA-256 {}... and {}...); leave the key out.",
           config.tokenizer.path, setup.from->path(), given.sha256().substr(0, 12),
           own.sha256().substr(0, 12));
  return given;
}

RunIdentity identity_for(const FinetuneSetup& setup) {
  const Tokenizer& tokenizer = setup.options.tokenizer;
  return {.seed = static_cast<std::uint64_t>(setup.config.seed),
          .configuration = to_yaml(setup.config),
          .settings = finetuning_values(setup.config),
          .tokenizer = tokenizer.bytes(),
          .tokenizer_kind = std::string(tokenizer.kind())};
}

/// The encoder of model.from under a new head, or under its own.
std::function<void(Network&)> start_from(const FinetuneSetup& setup, bool training) {
  if (!setup.from) return {};
  const ModelSource* from = &*setup.from;
  if (!training) return [from](Network& network) { (void)from->load(network); };
  const WarmStart options{.first_of_head = 0,
                          .reinitialize_head = setup.config.model.reinitialize_head,
                          .reinitialized_layers = setup.config.model.reinitialize_layers,
                          .path = from->path()};
  return [from, options](Network& network) {
    WarmStart own = options;
    own.first_of_head = network.head().first_parameter();
    (void)start_warm(network.parameters(), from->stored_tensors(&network.config()), own);
  };
}

void set_model_shape(FinetuneSetup& setup) {
  Config& config = setup.config;
  const Tokenizer& tokenizer = setup.options.tokenizer;
  if (!config.model.vocabulary_size)
    config.model.vocabulary_size =
        setup.from ? setup.from->config().vocabulary_size : tokenizer.vocabulary_size();
  ModelConfig model = model_options(config, setup.from ? &setup.from->config() : nullptr);
  model.pad_token_id = tokenizer.special().pad;
  set_model(config, model);
  if (setup.from) setup.notes = setup.from->notes(model);
  setup.options.run.model = model;
  setup.options.run.sequence_length = sequence_length(config, model);
  config.data.sequence_length = setup.options.run.sequence_length;
  std::ranges::copy(notes_on(model, setup.options.run.sequence_length), std::back_inserter(setup.notes));
}

void set_run(FinetuneSetup& setup, bool training) {
  Config& config = setup.config;
  PretrainOptions& run = setup.options.run;
  run.directory = config.run.directory;
  run.resume = config.run.resume == "auto"    ? Resume::kAuto
               : config.run.resume == "never" ? Resume::kNever
                                              : Resume::kPath;
  if (run.resume == Resume::kPath) run.resume_path = config.run.resume;
  run.stop_after_seconds = duration_seconds(config.run.stop_after, "run.stop_after");
  Backend backend = choose_backend(config.training.backend, "training.backend");
  backend.time_products = !config.training.deterministic;
  check_cuda_graph(config, backend);
  const CommKind kind = communication_kind(config, backend);
  std::ranges::copy(backend.notes, std::back_inserter(setup.notes));
  run.device = [backend, kind](Comm& comm) { return open_device(backend, kind, comm); };
  run.communication = {.kind = kind, .timeout_seconds = config.communication.timeout};
  run.precision = precision(config, backend);
  config.training.precision = name_of(run.precision);
  run.recompute = config.training.recompute;
  run.threads = static_cast<int>(config.run.threads.value_or(0));
  run.global_batch = config.training.global_batch;
  run.micro_batch = config.training.micro_batch.value_or(0);
  Config with_steps = config;
  with_steps.training.steps = 1;  // the task's size decides
  run.trainer = trainer_options(with_steps);
  run.trainer.objective = {};
  run.trainer.identity = identity_for(setup);
  run.may_change = may_change_on_resume;
  run.start_from = start_from(setup, training);
}

bool is_finetuned(const std::string& model) {
  return !is_language_model(ModelSource(model).head().kind);
}

/// Names of the labels that a model was fine-tuned for; none where it knows placeholders alone.
std::vector<std::string> stored_labels(const std::string& model) {
  if (!is_checkpoint(model)) {
    auto labels = ModelSource(model).label_names();
    const bool named = std::ranges::none_of(labels, [](const auto& l) { return l.starts_with("LABEL_"); });
    return named ? labels : std::vector<std::string>();
  }
  const CheckpointReader reader(model);
  const Settings& settings = reader.identity().settings;
  const auto found = settings.find("task.label_names");
  return found == settings.end() ? std::vector<std::string>() : read_label_names(found->second);
}

/// model.from where that was fine-tuned; else the best checkpoint of the run, or its newest.
std::string finetuned_model(const Config& config) {
  if (!config.model.from.empty() && is_finetuned(config.model.from)) return config.model.from;
  require(config, {"run.directory"}, "evaluate (without a fine-tuned `model.from`)");
  const std::string folder = config.run.directory + "/checkpoints";
  if (is_checkpoint(folder + "/best.h5")) return folder + "/best.h5";
  const CheckpointSearch search = find_newest_checkpoint(folder);
  if (!search.path)
    refuse("{} holds no valid checkpoint; fine-tune first, or name a model in `model.from`.", folder);
  return *search.path;
}

}  // namespace

TaskConfig task_options(const Config& config) {
  const auto& t = config.task;
  return {.kind = t.kind,
          .name = t.name,
          .path = t.path,
          .train = t.train,
          .validation = t.validation,
          .test = t.test,
          .columns = given_columns(config),
          .choices = t.choices,
          .labels = t.labels,
          .multi_label = t.multi_label,
          .label_separator = t.label_separator,
          .class_weights = t.class_weights,
          .validation_fraction = t.validation_fraction,
          .seed = static_cast<std::uint64_t>(config.seed),
          .malformed = t.malformed == "skip" ? Malformed::kSkip : Malformed::kRefuse,
          .window_overlap = t.window_overlap,
          .max_answer_tokens = t.max_answer_tokens};
}

std::unique_ptr<FinetuneSetup> set_up_finetuning(const Config& config, bool training) {
  auto setup = std::make_unique<FinetuneSetup>();
  setup->config = config;
  // What is wrong is refused before the model is read.
  check_task_keys(task_options(config));
  (void)chosen_metric(open_task(task_options(config))->info(), config.task.metric);
  if (!config.gives("training.global_batch")) setup->config.training.global_batch = kUsualBatch;
  if (!config.model.from.empty()) {
    setup->from.emplace(config.model.from);
  } else if (training) {
    setup->notes.emplace_back(
        "`model.from` is not given: the encoder is initialized randomly and learns from the task alone.");
  }
  FinetuneOptions& options = setup->options;
  options.task = task_options(config);
  options.from = config.model.from;
  options.tokenizer = tokenizer_for(*setup);
  options.epochs = config.training.epochs;
  options.warmup_share = config.schedule.warmup_share;
  options.patience = config.training.patience;
  options.metric = config.task.metric;
  set_model_shape(*setup);
  set_run(*setup, training);
  return setup;
}

int evaluate_finetuned(const Config& given) {
  Config config = given;
  config.model.from = finetuned_model(given);
  const auto setup = set_up_finetuning(config, false);
  if (given.task.labels.empty()) setup->options.task.labels = stored_labels(config.model.from);
  setup->options.task.unanswerable = ModelSource(config.model.from).setting("task.unanswerable") == "true";
  // A run's own folder has its results already.
  if (std::filesystem::exists(given.run.directory + "/checkpoints")) setup->options.run.directory.clear();
  return with_comm({.timeout_seconds = config.communication.timeout}, [&](Comm& comm) -> int {
    const Log log(comm.rank());
    for (const auto& note : setup->notes) log.note(note);
    const std::unique_ptr<Observer> progress = make_progress(log);
    const std::string results = evaluate_task(setup->options, comm, *progress);
    if (comm.rank() == 0) fmt::print("{}\n", parse_json<nlohmann::ordered_json>(results).dump());
    return kDone;
  });
}

}  // namespace nystrom
