#include "launch/setup/finetune_setup.h"

#include <algorithm>

#include "launch/config/command_keys.h"
#include "launch/config/options.h"
#include "launch/models/tokenizer_search.h"
#include "launch/setup/backend.h"
#include "launch/setup/grid.h"
#include "launch/setup/task_setup.h"
#include "model/exchange/warm_start.h"
#include "trainer/comm/launcher.h"

namespace nystrom {
namespace {

constexpr std::int64_t kUsualBatch = 32;

Tokenizer tokenizer_for(const FinetuneSetup& setup, const TaskInfo& task) {
  const Config& config = setup.config;
  if (task.vocabulary > 0) {
    if (!config.tokenizer.path.empty())
      refuse("`tokenizer.path` is given, but {} has its own tokens; leave it out.", task.name);
    return {};
  }
  Tokenizer own = setup.from ? setup.from->tokenizer() : Tokenizer();
  if (config.tokenizer.path.empty()) {
    if (own.empty())
      refuse("{}; set `tokenizer.path`.", setup.from
                                              ? setup.from->path() + " has no tokenizer"
                                              : std::string("Without `model.from` there is no tokenizer"));
    return own;
  }
  Tokenizer given = read_any_tokenizer(config.tokenizer.path, given_special_names(config));
  if (!own.empty() && own.sha256() != given.sha256())
    refuse("`tokenizer.path`: {} is not the tokenizer of {} (SHA-256 {}... and {}...); remove the key.",
           config.tokenizer.path, setup.from->path(), given.sha256().substr(0, 12),
           own.sha256().substr(0, 12));
  return given;
}

RunIdentity identity_for(const FinetuneSetup& setup) {
  const Tokenizer& tokenizer = setup.options.tokenizer;
  Config compared = setup.config;
  // What programs wrote that evaluated after each epoch alone.
  if (compared.evaluation.every_steps == 0) compared.evaluation.every_steps = Config().evaluation.every_steps;
  RunIdentity identity{.seed = static_cast<std::uint64_t>(setup.config.seed),
                       .configuration = to_yaml(setup.config),
                       .settings = finetuning_values(compared),
                       .tokenizer = {},
                       .tokenizer_kind = {}};
  if (tokenizer.empty()) return identity;
  identity.tokenizer = tokenizer.bytes();
  identity.tokenizer_kind = std::string(tokenizer.kind());
  return identity;
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

/// Pooling and normalization of embeddings, unless given: as in model.from if it has embeddings, otherwise
/// the mean, scaled to length 1.
void set_embedding_form(const FinetuneSetup& setup, ModelConfig& model) {
  if (setup.from && setup.from->makes_embeddings()) return;
  if (!setup.config.gives("model.pooling")) model.network.pooling = Pooling::kMean;
  if (!setup.config.gives("model.normalize")) model.network.normalize = true;
}

void set_model_shape(FinetuneSetup& setup, const TaskInfo& task) {
  Config& config = setup.config;
  const Tokenizer& tokenizer = setup.options.tokenizer;
  set_task_shape(config, task, setup.from ? &setup.from->config() : nullptr);
  if (!config.model.vocabulary_size)
    config.model.vocabulary_size = setup.from          ? setup.from->config().vocabulary_size
                                   : tokenizer.empty() ? task.vocabulary
                                                       : tokenizer.vocabulary_size();
  ModelConfig model = model_options(config, setup.from ? &setup.from->config() : nullptr);
  model.pad_token_id = tokenizer.empty() ? 0 : tokenizer.special().pad;
  if (task.answer == AnswerKind::kVector) set_embedding_form(setup, model);
  set_model(config, model);
  if (setup.from) setup.notes = setup.from->notes(model);
  setup.options.run.model = model;
  setup.options.run.sequence_length = sequence_length(config, model);
  config.data.sequence_length = setup.options.run.sequence_length;
  std::ranges::copy(notes_on(model, setup.options.run.sequence_length), std::back_inserter(setup.notes));
}

/// Epochs, or steps instead of them, and the interval of evaluations; the resolved configuration has what
/// counts.
void set_length(FinetuneSetup& setup) {
  Config& config = setup.config;
  if (finetunes_by_steps(config))
    config.training.epochs = 0;
  else
    config.training.steps.reset();
  if (!config.gives("evaluation.every_steps")) config.evaluation.every_steps = 0;
  setup.options.epochs = config.training.epochs;
  setup.options.evaluate_every = config.evaluation.every_steps;
}

void set_run(FinetuneSetup& setup, bool training) {
  Config& config = setup.config;
  if (training && config.communication.sequence_ranks > 1)
    refuse(
        "`communication.sequence_ranks` is {}, but `finetune` has whole sequences on every rank: set it to 1.",
        config.communication.sequence_ranks);
  Backend backend = choose_backend(config.training.backend, "training.backend");
  backend.time_products = !config.training.deterministic;
  check_cuda_graph(config, backend);
  check_communication(config, backend);
  std::ranges::copy(backend.notes, std::back_inserter(setup.notes));
  const DType resolved = precision(config, backend);
  set_precision(config, resolved);
  PretrainOptions run = run_options(config);
  run.model = setup.options.run.model;
  run.sequence_length = setup.options.run.sequence_length;
  run.precision = resolved;
  run.device = [backend, kind = config.communication.kind](Comm& comm) {
    return open_device(backend, kind, comm);
  };
  run.trainer.identity = identity_for(setup);
  run.start_from = start_from(setup, training);
  setup.options.run = std::move(run);
}

}  // namespace

void check_finetuning_files(const Config& config) {
  if (launched_rank() != 0) return;
  for (const GridPoint& point : grid_points(config.grid))
    check_task_files(task_options(config.grid.empty() ? config : config_of(config, point)));
}

std::unique_ptr<FinetuneSetup> set_up_finetuning(const Config& config, bool training) {
  auto setup = std::make_unique<FinetuneSetup>();
  setup->config = config;
  const TaskConfig task = resolve_task(setup->config);
  const TaskInfo info = open_task(task)->info();
  (void)chosen_metric(info, config.task.metric);
  if (!config.gives("training.global_batch")) setup->config.training.global_batch = kUsualBatch;
  if (!config.model.from.empty()) {
    setup->from.emplace(config.model.from);
    if (!training) setup->from->use_weights(config.evaluation.weights);
  } else if (training) {
    setup->notes.emplace_back(
        "`model.from` is not given: the encoder is initialized randomly and learns from the task alone.");
  }
  FinetuneOptions& options = setup->options;
  options.task = task;
  if (setup->from) {
    options.from = setup->from->path();
    options.from_step = setup->from->progress().step;
  }
  options.tokenizer = tokenizer_for(*setup, info);
  set_length(*setup);
  options.warmup_share = config.schedule.warmup_share;
  options.patience = config.training.patience;
  options.metric = config.task.metric;
  set_model_shape(*setup, info);
  set_run(*setup, training);
  return setup;
}

}  // namespace nystrom
