#pragma once
// Registry of attention kinds: one row a kind, in the kind's own file. Nothing outside that file asks which
// kind a model has.

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/attention/attention.h"

namespace nystrom {

inline constexpr std::string_view kQueryKeyValue[] = {"query", "key", "value"};

struct DrawnTensor {
  Shape shape;
  std::vector<float> values;
};

/// A kind of attention.
struct AttentionEntry {
  /// In YAML, checkpoints, config.json and reference cases.
  std::string_view name;
  /// Has dropout of attention probabilities (model.attention_dropout).
  bool has_probability_dropout;
  /// Can compute padding as transformers does (model.attention.padding: huggingface).
  bool has_huggingface_padding = false;
  /// What qkv holds, in its order; the last is the values. Parameters NAME.weight and NAME.bias.
  std::span<const std::string_view> projections = kQueryKeyValue;
  /// transformers can run it natively, without the code that `convert` puts into a folder.
  bool is_of_transformers = false;
  /// Keys of `model.attention` that this kind alone has, for its files.
  std::span<const std::string_view> options = {};
  /// Refuses options that this kind cannot run with, naming the key.
  void (*check)(const ModelConfig& config) = [](const ModelConfig&) {};
  /// Declares the kind's parameters in `store`. `config` and `store` outlive the result.
  std::unique_ptr<Attention> (*make)(const ModelConfig& config, ParameterStore& store,
                                     const AttentionPlace& place);
  /// Books the workspace that all layers share (lifetime: scratch).
  Tensor (*plan_workspace)(Planner& planner, const ModelConfig& config, DType activation,
                           const AttentionLimits& limits);
  /// "Nystrom attention with 64 landmarks": for sentences.
  std::string (*describe)(const AttentionConfig& config);
  /// Further options, "6 pinv iterations, per_matrix"; empty if there are none.
  std::string (*details)(const AttentionConfig& config) = [](const AttentionConfig&) {
    return std::string();
  };
  /// Random numbers in addition to a layer's parameters, which folders carry for transformers as
  /// attention.self.NAME; empty: none.
  std::string_view drawn_name = {};
  /// Those of a model that is not being trained. Only where drawn_name is not empty.
  DrawnTensor (*draw)(const ModelConfig& config, std::int64_t layer) = nullptr;
  /// Rows at whose multiples a sequence of `rows` is cut where `ranks` ranks share it; 0: it stays on one
  /// rank. Null: the kind cannot compute a sequence on several ranks.
  std::int64_t (*cut_rows)(const AttentionConfig& config, std::int64_t rows, int ranks) = nullptr;
  /// Citation of the method.
  std::string_view reference;
  /// Warnings about a run with sequences of `length` tokens.
  std::vector<std::string> (*warnings)(const AttentionConfig& config, std::int64_t length) =
      [](const AttentionConfig&, std::int64_t) { return std::vector<std::string>(); };
  /// `segment_means_seq_len` of config.json for a model trained at `length` tokens: transformers runs Nystrom
  /// attention at exactly that length, and softmax attention where it equals the landmarks.
  std::int64_t (*segment_means_length)(const AttentionConfig& config, std::int64_t length) =
      [](const AttentionConfig& config, std::int64_t) { return config.landmarks; };
};

/// Is this option of AttentionConfig::visit_options written to the files of a model of that kind: its own
/// options, and those that all files have?
[[nodiscard]] bool stores_option(const AttentionEntry& entry, std::string_view key);

[[nodiscard]] std::span<const AttentionEntry> attention_registry();
/// The entry of that name, or nullptr.
[[nodiscard]] const AttentionEntry* find_attention(std::string_view name);
/// The entry of that name. Throws InputError for any other: "WHERE is `NAME`; it must be one of nystrom,
/// softmax."
[[nodiscard]] const AttentionEntry& attention_entry(std::string_view name,
                                                    std::string_view where = "`model.attention.kind`");
/// The names, joined: "nystrom | softmax".
[[nodiscard]] std::string attention_names(std::string_view separator);

/// Adds a kind to the registry, before any model is made: for tests. Throws InternalError if the name is
/// taken.
void register_attention(const AttentionEntry& entry);

}  // namespace nystrom
