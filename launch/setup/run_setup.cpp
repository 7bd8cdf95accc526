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

// Enough to tell whether a resumed run reads the same files.
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

RunSetup set_up_run(const Config& config, bool training) {
  RunSetup setup;
  setup.config = config;
  setup.backend = choose_backend(config.training.backend, "training.backend");
  setup.backend.time_products = training && !config.training.deterministic;
  if (training) check_cuda_graph(config, setup.backend);
  check_communication(config, setup.backend);
  setup.head = objective_options(config).weights[1] > 0 ? HeadKind::kPretraining : HeadKind::kMaskedLm;
  if (training) setup.shards = training_files(config);
  if (!config.data.validation.empty())
    setup.validation = expand_globs(config.data.validation, "data.validation");
  if (!config.model.from.empty()) setup.from.emplace(config.model.from);
  if (setup.from && !training) {
    setup.from->use_as_it_is();
    setup.from->use_weights(config.evaluation.weights);
  }

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
  setup.model = model_options(setup.config, setup.from ? &setup.from->config() : nullptr);
  if (!setup.tokenizer.empty()) setup.model.pad_token_id = setup.tokenizer.special().pad;
  set_model(setup.config, setup.model);
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
  return shard_source(training_loader(setup));
}

SourceFactory validation_source(const RunSetup& setup) {
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
  options.contents["data.shards"] = setup.shards;
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
