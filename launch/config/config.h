#pragma once
// The configuration: plain structs, a section each. Every key is declared once, in the table of
// config_table.cpp, which drives reading, `--set`, the resolved file, the comparison at a resume and
// docs/configuration.md.
//
//   Config config = read_config("run.yaml", {"training.steps=1000"});
//   require(config, {"run.directory", "training.steps"}, "pretrain");

#include <cstdint>
#include <initializer_list>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/preparation/prepare.h"
#include "data/pretraining/batch_schedule.h"
#include "data/pretraining/masking.h"
#include "data/pretraining/packing.h"
#include "data/shards/shard_check.h"
#include "data/tasks/task.h"
#include "data/tokenizer/training.h"
#include "kernels/core/names.h"
#include "model/config/model_config.h"
#include "trainer/checkpoint/checkpoint.h"
#include "trainer/comm/gpu_collectives.h"
#include "trainer/guards/spike_guard.h"
#include "trainer/optimizer/optimizer.h"
#include "trainer/optimizer/schedule.h"
#include "trainer/run/run_options.h"

namespace nystrom {

/// `training.precision`, `communication.reduction`.
enum class Precision { kAuto, kF32, kBF16 };

template <>
struct EnumNames<Precision> {
  static constexpr Named<Precision> kAll[] = {
      {Precision::kAuto, "auto"}, {Precision::kF32, "fp32"}, {Precision::kBF16, "bf16"}};
};

/// `training.backend`, `--backend`.
enum class BackendChoice { kAuto, kCpu, kCuda };

template <>
struct EnumNames<BackendChoice> {
  static constexpr Named<BackendChoice> kAll[] = {
      {BackendChoice::kAuto, "auto"}, {BackendChoice::kCpu, "cpu"}, {BackendChoice::kCuda, "cuda"}};
};

/// An entry of data.mixture.
struct CorpusWeight {
  std::string corpus = {};
  double weight = 0;
  bool operator==(const CorpusWeight&) const = default;
};

/// Values of one key that `finetune` tries, as they are written in YAML.
struct GridAxis {
  std::string key = {};
  std::vector<std::string> values = {};
  bool operator==(const GridAxis&) const = default;
};

/// Sections are the libraries' own structs where the two have the same members; other defaults that a library
/// has are taken from it by the constructor. Only what no library knows has its default here. An empty
/// string, list or optional is a key that was not given.
struct Config {
  Config();

  std::int64_t seed = 1;

  struct {
    std::string directory;
    std::int64_t log_every = 0;
    std::string resume = std::string(name_of(Resume::kAuto));  ///< or `never`, or a path
    ShardCheck check_shards = ShardCheck::kAuto;
    std::int64_t pinv_residual_every = 0, noise_scale_every = 0;
    double pinv_residual_limit = 0.5;
    std::string stop_after, profile_steps;
    bool report = true;
    std::optional<std::int64_t> threads;
    std::string on_report, metrics_file;
  } run;

  struct {
    std::string from;
    std::optional<std::int64_t> vocabulary_size;
    std::int64_t hidden_size = 0, layers = 0, intermediate_size = 0, max_positions = 0;
    Activation activation = {};
    double dropout = 0, attention_dropout = 0, layer_norm_epsilon = 0, initializer_range = 0;
    Initialization initialization = {};
    std::int64_t reinitialize_layers = 0;
    bool reinitialize_head = false;
    NetworkConfig network;
    struct AttentionSection : AttentionConfig {  ///< its `heads` are `model.heads`
      Padding padding = {};
    } attention;
  } model;

  struct {
    std::vector<std::string> shards, validation;
    std::optional<std::int64_t> sequence_length;
    bool shuffle = true;
    std::vector<CorpusWeight> mixture;
    Packing packing = {};
    PairStyle pairs = {};
    double short_sequence_probability = 0;
    Masking masking;
  } data;

  struct {
    double mlm_weight = 1.0, sop_weight = 1.0;
  } objective;

  struct {
    std::optional<std::int64_t> steps, micro_batch;
    std::int64_t global_batch = 0, epochs = 0, patience = 0;
    std::vector<BatchStage> batch_schedule;
    Precision precision = Precision::kAuto;
    BackendChoice backend = BackendChoice::kAuto;
    double clip_norm = 0;
    OnTrouble on_nonfinite = {};
    SpikeOptions spike;
    std::int64_t check_every = 0;
    bool recompute = false, zero = false, deterministic = true, cuda_graph = false;
  } training;

  OptimizerOptions optimizer;

  struct ScheduleSection : ScheduleOptions {
    double warmup_share = 0;
  } schedule;

  struct {
    CommKind kind = CommKind::kAuto;
    Precision reduction = Precision::kF32;  ///< not kAuto
    std::optional<std::int64_t> bucket_mib;
    std::int64_t sequence_ranks = 1;
    double timeout = 0;
  } communication;

  struct {
    std::int64_t every_steps = 1000;
    KeepPolicy keep;
    std::int64_t failures_allowed = 0;
  } checkpoint;

  struct {
    std::int64_t every_steps = 1000, batches = 0;
    EvaluatedWeights weights = {};
  } evaluation;

  std::vector<CorpusSpec> corpus;

  struct TokenizerSection : TokenizerTraining {
    std::string path;
  } tokenizer;

  struct {
    std::string directory;
    std::int64_t shard_tokens = 0;
    double validation_fraction = 0, test_fraction = 0;
    std::string normalization;
  } output;

  CleaningOptions cleaning;

  /// `columns` and `seed` are filled in by task_options.
  struct TaskSection : TaskConfig {
    std::string metric;
    struct {
      std::string text, pair, label, id, word, tag, beginning, negative, score;
    } column_names;
  } task;

  std::vector<GridAxis> grid;  ///< in the order of the file; empty: one run

  std::set<std::string, std::less<>> given;  ///< dotted names of the keys that the file or --set gave

  std::set<std::string, std::less<>> overridden;  ///< those that --set gave

  [[nodiscard]] bool gives(std::string_view key) const { return given.contains(key); }
};

/// Reads a YAML file (none if `path` is empty) and then `key=value` overrides, whose values are YAML.
/// Throws InputError naming file, line, key and value: a file that cannot be read or is not valid YAML, an
/// unknown key (with the nearest known one), a key given twice, a wrong type, a value out of its range.
Config read_config(const std::string& path, const std::vector<std::string>& overrides);

/// The same from a text; `origin` appears in messages.
Config read_config_text(const std::string& yaml, const std::string& origin);

/// Sets one key to a YAML value, as --set does.
void set_value(Config& config, const std::string& key, const std::string& value);

/// Throws InputError, naming the first of `keys` that was not given and the command that needs it.
void require(const Config& config, std::span<const std::string_view> keys, std::string_view command);
inline void require(const Config& config, std::initializer_list<std::string_view> keys,
                    std::string_view command) {
  require(config, std::span(keys.begin(), keys.size()), command);
}

/// The whole configuration as YAML, every key that has a value, in the table's order; read_config_text gives
/// the same values back.
std::string to_yaml(const Config& config);

/// Dotted key -> value as in to_yaml, for the sections that `pretrain` uses: what a resumed run is
/// compared by.
std::map<std::string, std::string> pretraining_values(const Config& config);

/// The same for `finetune`: the section `task` too.
std::map<std::string, std::string> finetuning_values(const Config& config);

/// May a resumed run have another value of this key?
bool may_change_on_resume(std::string_view key);

/// May a fork (`--resume PATH` into a new run directory) have another value?
bool may_change_in_fork(std::string_view key);

/// What a resumed run may change: sections of which every key is free, and the free keys of the other ones.
struct FreeOnResume {
  std::vector<std::string> sections, keys;
};
FreeOnResume free_on_resume();

/// docs/configuration.md.
std::string configuration_document();

/// The dotted names of all keys, in the table's order.
std::vector<std::string> configuration_keys();
/// A JSON Schema (draft 7) of all keys, for editors.
std::string configuration_schema();

}  // namespace nystrom
