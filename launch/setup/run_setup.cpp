#include "launch/setup/run_setup.h"

#include <algorithm>

#include "data/glob.h"
#include "data/shards/shard_check.h"
#include "data/shards/shard_reader.h"
#include "kernels/core/sha256.h"
#include "launch/config/options.h"
#include "launch/models/tokenizer_search.h"
#include "launch/setup/run_shards.h"
#include "trainer/checkpoint/checkpoint.h"
#include "trainer/comm/launcher.h"
#include "trainer/tasks/masked_source.h"
#include "trainer/tasks/task_results.h"

namespace nystrom {
namespace {

// None of NVIDIA's.
std::optional<ShardHeader> header_of(const std::string& shard) {
  if (shard_kind(shard) != ShardKind::kNystrom) return std::nullopt;
  return ShardReader(shard).header();
}

void validate_shards(const RunSetup& setup) {
  for (const auto* files : {&setup.shards, &setup.validation})
    check_shards(*files, setup.config.run.check_shards);
}

Tokenizer find_tokenizer(const RunSetup& setup, const std::string& shard,
                         const std::optional<ShardHeader>& header) {
  if (!setup.config.tokenizer.path.empty()) {
    Tokenizer tokenizer = read_any_tokenizer(setup.config.tokenizer.path, given_special_names(setup.config));
    if (header && tokenizer.sha256() != header->tokenizer_sha256)
      refuse("`tokenizer.path`: {} is not the tokenizer that {} was made with (SHA-256 {}... and {}...).",
             setup.config.tokenizer.path, shard, tokenizer.sha256().substr(0, 12),
             header->tokenizer_sha256.substr(0, 12));
    return tokenizer;
  }
  if (setup.from) {
    Tokenizer tokenizer = setup.from->tokenizer();
    if (!tokenizer.empty() && (!header || tokenizer.sha256() == header->tokenizer_sha256)) return tokenizer;
    if (!tokenizer.empty())
      refuse(
          "{} was made with another tokenizer than the model {}; prepare the text with the model's tokenizer "
          "as `tokenizer.path`.",
          shard, setup.from->path());
  }
  return header ? tokenizer_beside(shard, header->tokenizer_sha256, given_special_names(setup.config))
                : Tokenizer();
}

// The key as given, the model's that is started from, or else what the tokenizer has.
void set_vocabulary(RunSetup& setup, const std::string& shard, const std::optional<ShardHeader>& header) {
  auto& size = setup.config.model.vocabulary_size;
  if (!size && setup.from) size = setup.from->config().vocabulary_size;
  const std::int64_t needed = !setup.tokenizer.empty() ? setup.tokenizer.vocabulary_size()
                              : header                 ? header->vocabulary_size
                                                       : 0;
  if (!size && needed == 0)
    refuse("`model.vocabulary_size` is missing: {} is a shard in NVIDIA's format, which names no tokenizer.",
           shard);
  if (!size) size = needed;
  if (*size < needed)
    refuse("`model.vocabulary_size` is {}, but the tokenizer of {} has {} tokens; raise or remove it.", *size,
           shard, needed);
}

/// Of self-pretraining, before anything is read: there is no sentence order, and what is predicted is masked,
/// unless the configuration says otherwise.
void set_task_objective(Config& config) {
  if (config.gives("objective.sop_weight") && config.objective.sop_weight > 0)
    refuse("`objective.sop_weight` is {}, but examples of `task.kind: lra` have no sentences; remove it.",
           config.objective.sop_weight);
  config.objective.sop_weight = 0;
  if (config.gives("data.masking.mask") || config.gives("data.masking.random")) return;
  config.data.masking.mask = 1;
  config.data.masking.random = 0;
}

void open_inputs(RunSetup& setup, bool training) {
  Config& config = setup.config;
  if (!config.tokenizer.path.empty())
    refuse("`tokenizer.path` is given, but `task.kind: lra` has its own tokens; leave it out.");
  const TaskConfig task = resolve_task(config);
  const ModelConfig* const from = setup.from ? &setup.from->config() : nullptr;
  const TaskInfo info = open_task(task)->info();
  set_task_shape(config, info, from);
  setup.task = read_task_inputs(task, config.data.sequence_length.value(), training);
  auto& size = config.model.vocabulary_size;
  if (!size) size = from != nullptr ? from->vocabulary_size : setup.task->vocabulary();
  if (*size < setup.task->vocabulary())
    refuse(
        "{} has {} tokens, and one that masks them, but the model embeds {}: it was trained with other tokens, "
        "or without masking.",
        info.name, info.vocabulary, *size);
  setup.data_notes = {
      fmt::format("{}: inputs of {}; token {} masks.", info.name, setup.task->data, setup.task->mask_id())};
  std::ranges::copy(setup.task->notes, std::back_inserter(setup.data_notes));
}

void open_shards(RunSetup& setup, bool training) {
  const Config& config = setup.config;
  if (training) setup.shards = training_files(config);
  if (!config.data.validation.empty())
    setup.validation = expand_globs(config.data.validation, "data.validation");
  validate_shards(setup);
  const std::string& shard = training ? setup.shards.front() : setup.validation.front();
  const auto header = header_of(shard);
  const ShardsReport report = report_shards(setup.config, shard, setup.shards, setup.validation);
  setup.data_notes = report.notes;
  setup.warnings = report.warnings;
  setup.training_totals = report.training;
  setup.validation_totals = report.validation;
  setup.tokenizer = find_tokenizer(setup, shard, header);
  set_vocabulary(setup, shard, header);
}

/// Of a split of the task; batch sizes and ranks come with the request.
SourceFactory masked_source(const RunSetup& setup, std::shared_ptr<const TaskSplit> split, bool one_pass) {
  MaskedSourceOptions options{.split = std::move(split),
                              .masking = masking_options(setup.config),
                              .vocabulary = setup.task->info.vocabulary,
                              .seed = static_cast<std::uint64_t>(setup.config.seed),
                              .shuffle = setup.config.data.shuffle,
                              .one_pass = one_pass,
                              .max_batches = one_pass ? setup.config.evaluation.batches : 0};
  return [options](const SourceRequest& request) -> std::unique_ptr<BatchSource> {
    MaskedSourceOptions own = options;
    own.global_batch = request.global_batch;
    own.micro_batch = request.micro_batch;
    own.rank = request.rank;
    own.ranks = request.ranks;
    own.batch_schedule = request.batch_schedule;
    return std::make_unique<MaskedSource>(own);
  };
}

// Enough to detect whether a resumed run reads the same files.
std::string files_text(const std::vector<std::string>& files) {
  std::string names;
  for (const auto& file : files) names += file + "\n";
  return files.size() == 1 ? files.front()
                           : fmt::format("{} files from {} to {} (names' SHA-256 {})", files.size(),
                                         files.front(), files.back(), sha256_hex(names).substr(0, 12));
}

SampleOptions sample_options(const RunSetup& setup, const std::vector<std::string>& shards) {
  SampleOptions options;
  options.shards = shards;
  options.sequence_length = setup.sequence_length;
  options.pairs = setup.head == HeadKind::kPretraining;
  options.pair_style = setup.config.data.pairs;
  options.packing = setup.config.data.packing;
  options.short_sequence_probability = setup.config.data.short_sequence_probability;
  options.masking = masking_options(setup.config);
  options.vocabulary_size = setup.model.vocabulary_size;
  options.seed = static_cast<std::uint64_t>(setup.config.seed);
  if (setup.tokenizer.empty()) return options;
  options.special = setup.tokenizer.special();
  options.tokenizer_sha256 = setup.tokenizer.sha256();
  options.starts_word.resize(static_cast<std::size_t>(setup.tokenizer.vocabulary_size()));
  for (std::int32_t id = 0; id < setup.tokenizer.vocabulary_size(); ++id)
    options.starts_word[static_cast<std::size_t>(id)] = setup.tokenizer.starts_word(id);
  return options;
}

LoaderOptions loader_options(const RunSetup& setup, const std::vector<std::string>& shards) {
  LoaderOptions options;
  options.samples = sample_options(setup, shards);
  options.shuffle = setup.config.data.shuffle;
  options.pad_to_length = setup.model.padding == Padding::kHuggingFace;
  return options;
}

}  // namespace

void check_resumed_checkpoint(const Config& config) {
  if (launched_rank() == 0 && !find_named<Resume>(config.run.resume))
    check_foreign_checkpoint(config.run.resume);
}

void check_pretraining_task(const Config& config) {
  if (launched_rank() == 0 && pretrains_on_task(config)) check_task_files(task_options(config));
}

std::string_view pretraining_name(const Config& config) {
  return pretrains_on_task(config) ? "pretrain of a task" : "pretrain";
}

RunSetup set_up_run(const Config& given, bool training) {
  RunSetup setup;
  setup.config = given;
  const bool on_task = pretrains_on_task(given);
  if (on_task) set_task_objective(setup.config);
  const Config& config = setup.config;
  setup.backend = choose_backend(config.training.backend, "training.backend");
  setup.backend.time_products = training && !config.training.deterministic;
  if (training) check_cuda_graph(config, setup.backend);
  check_communication(config, setup.backend);
  setup.head = objective_options(config).weights[1] > 0 ? HeadKind::kPretraining : HeadKind::kMaskedLm;
  if (!config.model.from.empty()) setup.from.emplace(config.model.from);
  if (setup.from && !training) {
    setup.from->use_as_it_is();
    setup.from->use_weights(config.evaluation.weights);
  }

  if (on_task)
    open_inputs(setup, training);
  else
    open_shards(setup, training);
  setup.model = model_options(setup.config, setup.from ? &setup.from->config() : nullptr);
  if (!setup.tokenizer.empty()) setup.model.pad_token_id = setup.tokenizer.special().pad;
  if (on_task) setup.model.pad_token_id = 0;
  set_model(setup.config, setup.model);
  if (training) check_split_sequences(config, setup.model, setup.backend);
  if (setup.from) setup.notes = setup.from->notes(setup.model);
  setup.sequence_length = sequence_length(config, setup.model);
  setup.config.data.sequence_length = setup.sequence_length;
  (void)masking_options(config);

  setup.precision = precision(config, setup.backend);
  std::ranges::copy(setup.backend.notes, std::back_inserter(setup.notes));
  if (config.training.precision == Precision::kAuto && !setup.backend.cuda)
    setup.notes.push_back(fmt::format("`training.precision` is {}: this CPU {} matrix products in bf16.",
                                      name_of(setup.precision),
                                      setup.precision == DType::kBF16 ? "has" : "does not have"));
  set_precision(setup.config, setup.precision);
  std::ranges::copy(notes_on(setup.model, setup.sequence_length), std::back_inserter(setup.notes));
  return setup;
}

LoaderOptions training_loader(const RunSetup& setup) {
  LoaderOptions options = loader_options(setup, setup.shards);
  for (const auto& [corpus, weight] : setup.config.data.mixture) options.mixture.push_back({corpus, weight});
  options.global_batch = setup.config.training.global_batch;
  return options;
}

SourceFactory training_source(const RunSetup& setup) {
  if (setup.task) return masked_source(setup, setup.task->train, false);
  return shard_source(training_loader(setup));
}

SourceFactory validation_source(const RunSetup& setup) {
  if (setup.task && setup.task->validation != nullptr)
    return masked_source(setup, setup.task->validation, true);
  if (setup.validation.empty()) return {};
  LoaderOptions options = loader_options(setup, setup.validation);
  options.one_pass = true;
  options.max_steps = setup.config.evaluation.batches;
  return shard_source(options);
}

PretrainOptions pretrain_options(const RunSetup& setup, const std::function<void(const std::string&)>& note) {
  PretrainOptions options = run_options(setup.config);
  options.files = setup.shards;
  options.files.insert(options.files.end(), setup.validation.begin(), setup.validation.end());
  if (!setup.task) options.contents["data.shards"] = setup.shards;
  if (!setup.validation.empty()) options.contents["data.validation"] = setup.validation;
  options.model = setup.model;
  options.head = setup.head;
  options.precision = setup.precision;
  options.device = [&setup](Comm& comm) {
    return open_device(setup.backend, setup.config.communication.kind, comm);
  };
  options.sequence_length = setup.sequence_length;
  options.training_data = training_source(setup);
  options.validation_data = validation_source(setup);
  options.data_notes = setup.data_notes;
  if (options.validation_data) options.trainer.validate_every = setup.config.evaluation.every_steps;
  options.trainer.objective = objective_options(setup.config);
  options.trainer.identity = identity_of(setup);
  if (setup.from)
    options.start_from = [&setup, note](Network& network) {
      for (const auto& sentence : setup.from->load(network)) note(sentence);
    };
  return options;
}

RunIdentity identity_of(const RunSetup& setup) {
  RunIdentity identity;
  identity.seed = static_cast<std::uint64_t>(setup.config.seed);
  identity.configuration = to_yaml(setup.config);
  if (setup.task) {
    identity.settings = finetuning_values(setup.config);
    identity.settings["task.examples"] = task_examples_text(*setup.task->train);
    return identity;
  }
  identity.settings = pretraining_values(setup.config);
  // Which files the patterns name counts, not how they are written.
  identity.settings["data.shards"] = files_text(setup.shards);
  if (!setup.validation.empty()) identity.settings["data.validation"] = files_text(setup.validation);
  if (!setup.tokenizer.empty()) {
    identity.settings["tokenizer"] = setup.tokenizer.sha256();
    identity.tokenizer = setup.tokenizer.bytes();
    identity.tokenizer_kind = setup.tokenizer.kind();
  }
  return identity;
}

}  // namespace nystrom
