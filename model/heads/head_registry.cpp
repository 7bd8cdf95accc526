#include "model/heads/head_registry.h"

#include <algorithm>
#include <array>

#include "model/heads/pretraining.h"

namespace nystrom {
namespace {

std::unique_ptr<Head> make_language_model(const HeadConfig& head, const HeadParts& parts) {
  return std::make_unique<PretrainingHead>(parts.model, parts.store, parts.word,
                                           head.kind == HeadKind::kPretraining);
}

constexpr std::array kHeads{
    HeadEntry{HeadKind::kPretraining, "pretraining", "NystromformerForMaskedLM", &make_language_model},
    HeadEntry{HeadKind::kMaskedLm, "masked_lm", "NystromformerForMaskedLM", &make_language_model},
    HeadEntry{HeadKind::kSequenceClassification, "sequence_classification",
              "NystromformerForSequenceClassification", &make_sequence_classification},
    HeadEntry{HeadKind::kTokenClassification, "token_classification", "NystromformerForTokenClassification",
              &make_token_classification},
    HeadEntry{HeadKind::kQuestionAnswering, "question_answering", "NystromformerForQuestionAnswering",
              &make_question_answering},
    HeadEntry{HeadKind::kMultipleChoice, "multiple_choice", "NystromformerForMultipleChoice",
              &make_multiple_choice},
};

}  // namespace

std::span<const HeadEntry> head_registry() {
  return kHeads;
}

const HeadEntry& entry_of(HeadKind kind) {
  return *std::ranges::find(kHeads, kind, &HeadEntry::kind);
}

const HeadEntry* find_head(std::string_view name) {
  const auto found = std::ranges::find(kHeads, name, &HeadEntry::name);
  return found == kHeads.end() ? nullptr : &*found;
}

std::unique_ptr<Head> make_head(const HeadConfig& head, const HeadParts& parts) {
  if (head.labels < 1)
    refuse("A {} head has {} labels; it needs at least 1.", entry_of(head.kind).name, head.labels);
  return entry_of(head.kind).make(head, parts);
}

}  // namespace nystrom
