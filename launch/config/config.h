#pragma once
// The configuration: plain structs, a section each. Every key stands once in the table of config_table.cpp,
// which drives reading, `--set`, the resolved file, the comparison at a resume and docs/configuration.md.
//
//   Config config = read_config("run.yaml", {"training.steps=1000"});
//   require(config, {"run.directory", "training.steps"}, "pretrain");

#include <cstdint>
#include <initializer_list>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace nystrom {

struct CorpusSource {
  std::string kind = {};          ///< wikipedia | books | imdb | lines | jsonl
  std::string path = {};          ///< a glob
  std::string field = "text";     ///< jsonl: the member that holds the text
  std::string encoding = "auto";  ///< auto | utf-8 | latin-1 | utf-16
  std::string disambiguation = "keep", lists = "keep", stubs = "keep";  ///< wikipedia: keep | drop
  bool operator==(const CorpusSource&) const = default;
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

/// Defaults stand here, and nowhere else. An empty string, list or optional is a key that was not given.
struct Config {
  std::int64_t seed = 1;

  struct {
    std::string directory;
    std::int64_t log_every = 1;
    std::string resume = "auto", check_shards = "auto";
    std::int64_t pinv_residual_every = 0;
    double pinv_residual_limit = 0.5;
    std::string stop_after;
    std::optional<std::int64_t> threads;
  } run;

  struct {
    std::string from;
    std::optional<std::int64_t> vocabulary_size;
    std::int64_t hidden_size = 768, layers = 12, heads = 12, intermediate_size = 3072, max_positions = 512;
    std::string activation = "gelu_new";
    double dropout = 0.1, attention_dropout = 0.0, layer_norm_epsilon = 1e-5, initializer_range = 0.02;
    std::int64_t reinitialize_layers = 0;
    bool reinitialize_head = false;
    struct {
      std::string kind = "nystrom";
      std::int64_t landmarks = 64, convolution = 65, pinv_iterations = 6;
      std::string pinv_init = "per_matrix", padding = "exact";
    } attention;
  } model;

  struct {
    std::vector<std::string> shards, validation;
    std::optional<std::int64_t> sequence_length;
    bool shuffle = true;
    std::vector<CorpusWeight> mixture;
    std::string packing = "sentences", pairs = "exact";
    double short_sequence_probability = 0;
    struct {
      double probability = 0.15, mask = 0.8, random = 0.1;
      std::string unit = "token";
    } masking;
  } data;

  struct {
    double mlm_weight = 1.0, sop_weight = 1.0;
  } objective;

  struct {
    std::optional<std::int64_t> steps, micro_batch;
    std::int64_t global_batch = 256, epochs = 4, patience = 0;
    std::string precision = "auto", backend = "auto";
    double clip_norm = 1.0;
    std::string on_nonfinite = "stop", on_spike = "ignore";
    double spike_z_score = 8;
    std::int64_t spike_window = 200, check_every = 0;
    bool recompute = false, zero = false, deterministic = true, cuda_graph = false;
  } training;

  struct {
    std::string kind = "adamw";
    double learning_rate = 1e-4, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-6, weight_decay = 0.01,
           layer_decay = 1.0;
  } optimizer;

  struct {
    std::string kind = "linear";
    std::int64_t warmup_steps = 0;
    double warmup_share = 0;
  } schedule;

  struct {
    std::string kind = "auto", reduction = "fp32";
    double timeout = 600;
  } communication;

  struct {
    std::int64_t every_steps = 1000, keep = 3, keep_every_steps = 0, keep_best = 0, failures_allowed = 3;
  } checkpoint;

  struct {
    std::int64_t every_steps = 1000, batches = 50;
  } evaluation;

  std::vector<CorpusSource> corpus;

  struct {
    std::string kind = "unigram";
    std::int64_t vocabulary_size = 30000;
    std::string path;
    bool lowercase = false;
    double character_coverage = 0.9995;
    struct {
      std::string bos = "<s>", pad = "<pad>", eos = "</s>", unk = "<unk>", mask = "<mask>";
    } special_tokens;
    struct {
      std::int64_t bos = 0, pad = 1, eos = 2, unk = 3, mask = 4;
    } special_ids;
  } tokenizer;

  struct {
    std::string directory;
    std::int64_t shard_tokens = 33554432;
    double validation_fraction = 0.005, test_fraction = 0;
    std::string normalization = "nfc";
  } output;

  struct {
    std::int64_t minimum_characters = 0;
    bool duplicate_documents = true, duplicate_paragraphs = true, near_duplicates = false;
    std::vector<std::string> decontaminate;
    bool keep_dropped = false, skip_damaged = false;
    double expansion_limit = 1000;
  } cleaning;

  struct {
    std::string kind, name, path, train, validation, test, metric;
    struct {
      std::string text, pair, label, id, word, tag, beginning;
    } columns;
    std::vector<std::string> choices, labels, class_weights;
    bool multi_label = false;
    std::string label_separator = ",", malformed = "refuse";
    double validation_fraction = 0;
    std::int64_t window_overlap = 128, max_answer_tokens = 30;
  } task;

  std::vector<GridAxis> grid;  ///< in the order of the file; empty: one run

  std::set<std::string, std::less<>> given;  ///< dotted names of the keys that the file or --set gave

  [[nodiscard]] bool gives(std::string_view key) const { return given.contains(key); }
};

/// Reads a YAML file (none if `path` is empty) and then `key=value` overrides, whose values are YAML.
/// Throws InputError naming file, line, key and value: a file that cannot be read or is no YAML, an unknown
/// key (with the nearest known one), a key given twice, a wrong type, a value out of its range.
Config read_config(const std::string& path, const std::vector<std::string>& overrides);

/// The same from a text; `origin` stands in messages.
Config read_config_text(const std::string& yaml, const std::string& origin);

/// Sets one key to a YAML value, as --set does.
void set_value(Config& config, const std::string& key, const std::string& value);

/// Throws InputError, naming the first of `keys` that was not given and the command that needs it.
void require(const Config& config, std::initializer_list<std::string_view> keys, std::string_view command);

/// The whole configuration as YAML, every key that has a value, in the table's order; read_config_text gives
/// the same values back.
std::string to_yaml(const Config& config);

/// Dotted key -> value as it stands in to_yaml, for the sections that `pretrain` uses: what a resumed run is
/// compared by.
std::map<std::string, std::string> pretraining_values(const Config& config);

/// May a resumed run have another value of this key?
bool may_change_on_resume(std::string_view key);

/// The same for `finetune`: the section `task` too.
std::map<std::string, std::string> finetuning_values(const Config& config);

/// docs/configuration.md.
std::string configuration_document();

}  // namespace nystrom
