#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>
#include <system_error>

#include "data/shards/inspect.h"
#include "kernels/core/json.h"
#include "launch/cli/config_option.h"
#include "launch/cli/failure.h"
#include "launch/cli/log.h"
#include "launch/cli/option_parser.h"
#include "launch/cli/run_progress.h"
#include "launch/config/options.h"
#include "launch/models/model_path.h"
#include "launch/report/report_file.h"
#include "launch/setup/finetune_setup.h"
#include "launch/setup/run_setup.h"
#include "launch/setup/run_shards.h"
#include "model/compute_session.h"
#include "trainer/checkpoint/checkpoint.h"
#include "trainer/comm/threads.h"
#include "trainer/metrics/evaluation.h"
#include "trainer/tasks/masked_source.h"
#include "trainer/tasks/task_results.h"

namespace nystrom {
namespace {

std::string checkpoints_of(const Config& config) {
  return std::filesystem::path(config.run.directory) / "checkpoints";
}

/// A configuration whose run starts from a model names that one, where the run's own may be meant.
std::vector<std::string> own_model_warning(const Config& config) {
  if (config.overridden.contains("model.from") || config.run.directory.empty()) return {};
  std::error_code unreadable;  // is said where the model is read
  const auto inside = std::filesystem::relative(config.model.from, config.run.directory, unreadable);
  if (!inside.empty() && *inside.begin() != "..") return {};
  if (!find_newest_checkpoint(checkpoints_of(config)).path) return {};
  return {
      fmt::format("This is the evaluation of `model.from`, {}, which the run in {} started from. "
                  "`--set model.from={}` evaluates what the run has trained.",
                  config.model.from, config.run.directory, config.run.directory)};
}

// The model that a configuration names: model.from, or else the run's latest valid checkpoint.
std::vector<std::string> choose_model(Config& config) {
  if (config.gives("model.from") && !config.model.from.empty()) return own_model_warning(config);
  require(config, {"run.directory"}, "evaluate (without `model.from`)");
  const std::string folder = checkpoints_of(config);
  const CheckpointSearch search = find_newest_checkpoint(folder);
  if (!search.path)
    refuse("{} has no {}checkpoint; pretrain first, or name a model in `model.from`.", folder,
           search.any ? "valid " : "");
  config.model.from = *search.path;
  return search.warnings;
}

bool is_finetuned(const std::string& model) {
  return !is_language_model(ModelSource(model).head().kind);
}

/// Names of the labels that a model was fine-tuned for; none where it has only placeholders.
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

/// model.from where that is fine-tuned; else the best checkpoint of the run, or its latest.
std::string finetuned_model(const Config& config) {
  if (!config.model.from.empty() && is_finetuned(config.model.from))
    return find_model(config.model.from).path;
  require(config, {"run.directory"}, "evaluate (without a fine-tuned `model.from`)");
  if (!std::filesystem::is_directory(config.run.directory))
    refuse("{} does not exist; fine-tune first, or name a model in `model.from`.", config.run.directory);
  return find_model(config.run.directory).path;
}

/// Is the model that was pretrained on a task's inputs meant, and not one fine-tuned on its labels? The run's
/// own decides, if there is one: fine-tuning starts from the other.
bool is_self_pretrained(const Config& config) {
  if (!pretrains_on_task(config)) return false;
  const bool ran = std::filesystem::exists(config.run.directory + "/checkpoints");
  const std::string& model = ran ? config.run.directory : config.model.from;
  return !model.empty() && std::filesystem::exists(model) && !is_finetuned(model);
}

int evaluate_finetuned(const Config& given) {
  Config config = given;
  config.model.from = finetuned_model(given);
  check_finetuning_files(config);
  const auto setup = set_up_finetuning(config, false);
  if (given.task.labels.empty()) setup->options.task.labels = stored_labels(config.model.from);
  setup->options.task.unanswerable = ModelSource(config.model.from).setting("task.unanswerable") == "true";
  // A run directory has its results already, and so has a grid's.
  for (const char* has : {"/checkpoints", "/grid.json"})
    if (std::filesystem::exists(given.run.directory + has)) setup->options.run.directory.clear();
  return with_comm({.timeout_seconds = config.communication.timeout}, [&](Comm& comm) -> int {
    const Log log(comm.rank());
    warn_of_unused_keys(log, given, "evaluate of a task");
    for (const auto& note : setup->notes) log.note(note);
    const std::unique_ptr<Observer> progress = make_progress(log);
    const std::string results = evaluate_task(setup->options, comm, *progress);
    const std::string& directory = setup->options.run.directory;
    if (comm.rank() == 0 && !directory.empty() && config.run.report)
      ReportFile(directory, [&log](const std::string& why) { log.warning(why); }).write();
    if (comm.rank() == 0) fmt::print("{}\n", parse_json<nlohmann::ordered_json>(results).dump());
    return kDone;
  });
}

nlohmann::ordered_json result(const Losses& losses, const RunSetup& setup) {
  nlohmann::ordered_json json;
  json["model"] = setup.config.model.from;
  json["loss"] = losses.loss;
  for (const LossTerm& term : losses.terms) {
    const std::string name(term.name);
    json[name + "_loss"] = term.loss;
    json[name + "_accuracy"] = term.accuracy;
    json[name + "_labels"] = term.labels;
    if (name == "mlm") json["mlm_perplexity"] = std::exp(term.loss);
  }
  json["unigram_entropy"] =
      setup.task ? unigram_entropy(*setup.task->validation) : unigram_entropy(setup.validation);
  return json;
}

SourceRequest request_for(const Config& config, const Comm& comm, std::int64_t sequence_length) {
  SourceRequest request;
  request.global_batch = config.training.global_batch;
  request.micro_batch = config.training.micro_batch.value_or(
      automatic_micro_batch(sequence_length, config.training.global_batch, comm.ranks()));
  request.rank = comm.rank();
  request.ranks = comm.ranks();
  return request;
}

int work(const RunSetup& setup, Comm& comm, const std::vector<std::string>& warnings) {
  const Config& config = setup.config;
  const Log log(comm.rank());
  log.warnings(warnings);
  log.warnings(setup.warnings);
  warn_of_unused_keys(log, config, "evaluate");
  for (const auto& note : setup.data_notes) log.note(note);
  for (const auto& note : setup.notes) log.note(note);

  ComputeSession session(open_device(setup.backend, config.communication.kind, comm),
                         threads_of_rank(comm, config.run.threads.value_or(0)),
                         {.model = setup.model, .head = setup.head, .precision = setup.precision});
  for (const auto& note : setup.from->load(session.network)) log.note(note);
  log.warnings(thread_warnings(comm, session.context.host_threads(), config.run.threads.value_or(0),
                               session.device.is_gpu()));

  const auto source = validation_source(setup)(request_for(config, comm, setup.sequence_length));
  log.warnings(source->warnings());
  session.plan(source->limits());
  const Losses losses = evaluate(session.context, comm, session.network, session.buffer(), *source,
                                 config.evaluation.batches, objective_options(config));
  if (comm.rank() == 0) fmt::print("{}\n", result(losses, setup).dump());
  return kDone;
}

int run(const std::string& path, const Invocation& invocation) {
  Config config = read_config(path, invocation.overrides);
  if (config.gives("task.kind") && !is_self_pretrained(config)) return evaluate_finetuned(config);
  const std::vector<std::string> warnings = choose_model(config);
  use_prepared_shards(config);
  if (pretrains_on_task(config))
    check_pretraining_task(config);
  else
    require(config, {"data.validation"}, "evaluate");
  const RunSetup setup = set_up_run(config, false);
  return with_comm({.timeout_seconds = config.communication.timeout},
                   [&](Comm& comm) { return work(setup, comm, warnings); });
}

}  // namespace

Command evaluate_command() {
  auto config = std::make_shared<std::string>();
  return {
      .name = "evaluate",
      .summary = "Evaluate a model on held-out data: losses and accuracies.",
      .details =
          "Evaluates `model.from`, or else the latest checkpoint of `run.directory`, on `data.validation`, "
          "with the same masks in every call. The last line is one JSON object; unigram_entropy (nats) is the "
          "loss of the unigram baseline, which mlm_loss should beat.",
      .example =
          "nystrom evaluate my.yaml\n"
          "mpirun -n 2 nystrom evaluate my.yaml --set model.from=run/checkpoints/step-00001000.h5",
      .options = [config](OptionParser& app) { add_config_argument(app, *config, true); },
      .run = [config](const Invocation& invocation) { return run(*config, invocation); }};
}

}  // namespace nystrom
