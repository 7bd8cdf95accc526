#pragma once
// Registry of heads. A new head is a kind in head_config.h, a file under model/heads/ that defines its
// HeadEntry, and a line in the table of head_registry.cpp.

#include <memory>
#include <span>
#include <string_view>

#include "model/heads/case_labels.h"
#include "model/heads/head.h"
#include "model/heads/head_config.h"

namespace nystrom {

/// What a head is built from; `word` is the table to which a masked language model's decoder is tied.
struct HeadDependencies {
  const ModelConfig& model;
  ParameterStore& store;
  ParameterId word;
};

/// A tensor of logits in a reference case.
struct HeadOutput {
  enum class Source {
    kLogits,       ///< Head::logits()
    kTokenLogits,  ///< PretrainingHead::token_logits() of every token
    kOrderLogits   ///< PretrainingHead::order_logits()
  };
  std::string_view name;  ///< "start_logits"
  Source source = Source::kLogits;
  bool per_token = false;  ///< a row a token, padding included
  int column = -1;         ///< of two columns; negative: all
};

/// Everything that the rest of the program asks of a kind of head.
struct HeadEntry {
  HeadKind kind;
  std::string_view name;           ///< in a checkpoint, a case.h5 and messages: "token_classification"
  std::string_view description;    ///< for people: "token classification"
  std::string_view architecture;   ///< transformers' class: "NystromformerForTokenClassification"
  std::string_view auto_class;     ///< transformers' class by task, or by the nearest that it has:
                                   ///< "AutoModelForTokenClassification"
  std::string_view pipeline_tag;   ///< the Hub's name of the task: "token-classification"
  std::string_view extra_tensors;  ///< what `architecture` has no tensors for; empty: nothing
  bool is_language_model;          ///< predicts masked tokens, with a decoder tied to the word embeddings
  bool labels_from_config;         ///< number and names of the labels are in config.json
  bool has_problem;                ///< HeadConfig::problem says what the logits mean
  std::unique_ptr<Head> (*make)(const HeadConfig& head, const HeadDependencies& dependencies);
  CaseLabels (*read_case_labels)(const CaseInputs& inputs, const CaseShape& shape, const HeadConfig& head);
  std::span<const HeadOutput> case_outputs;
};

/// In the order of HeadKind. Where two share an architecture the one without extra tensors comes second.
[[nodiscard]] std::span<const HeadEntry* const> head_registry();
[[nodiscard]] const HeadEntry& entry_of(HeadKind kind);
/// The entry of that name, or nullptr.
[[nodiscard]] const HeadEntry* find_head(std::string_view name);
[[nodiscard]] inline bool is_language_model(HeadKind kind) {
  return entry_of(kind).is_language_model;
}

/// Declares the head's parameters in `dependencies.store`. Refuses fewer than one label.
[[nodiscard]] std::unique_ptr<Head> make_head(const HeadConfig& head, const HeadDependencies& dependencies);

// Defined in the head's file.
extern const HeadEntry kPretrainingEntry;
extern const HeadEntry kMaskedLmEntry;
extern const HeadEntry kSequenceClassificationEntry;
extern const HeadEntry kTokenClassificationEntry;
extern const HeadEntry kQuestionAnsweringEntry;
extern const HeadEntry kMultipleChoiceEntry;
extern const HeadEntry kPairClassificationEntry;
extern const HeadEntry kEmbeddingEntry;

}  // namespace nystrom
