#pragma once
// The heads there are. A new one is a file under model/heads/, a factory declared here and a row of the table
// in head_registry.cpp.

#include <memory>
#include <span>
#include <string_view>

#include "model/heads/head.h"
#include "model/heads/head_config.h"

namespace nystrom {

/// What a head is built from; `word` is the table to which a masked language model's decoder is tied.
struct HeadParts {
  const ModelConfig& model;
  ParameterStore& store;
  ParameterId word;
};

struct HeadEntry {
  HeadKind kind;
  std::string_view name;          ///< as in a case.h5 and in messages: "token_classification"
  std::string_view architecture;  ///< transformers' class: "NystromformerForTokenClassification"
  std::unique_ptr<Head> (*make)(const HeadConfig& head, const HeadParts& parts);
};

/// In the order of HeadKind. Where two share an architecture the one without extra tensors comes second.
[[nodiscard]] std::span<const HeadEntry> head_registry();
[[nodiscard]] const HeadEntry& entry_of(HeadKind kind);
/// The entry of that name, or nullptr.
[[nodiscard]] const HeadEntry* find_head(std::string_view name);

/// Declares the head's parameters in `parts.store`. Refuses fewer than one label.
[[nodiscard]] std::unique_ptr<Head> make_head(const HeadConfig& head, const HeadParts& parts);

// Factories, one a file of model/heads/.
std::unique_ptr<Head> make_sequence_classification(const HeadConfig& head, const HeadParts& parts);
std::unique_ptr<Head> make_token_classification(const HeadConfig& head, const HeadParts& parts);
std::unique_ptr<Head> make_question_answering(const HeadConfig& head, const HeadParts& parts);
std::unique_ptr<Head> make_multiple_choice(const HeadConfig& head, const HeadParts& parts);

}  // namespace nystrom
