#include "model/heads/head_registry.h"

#include <algorithm>
#include <array>

#include "kernels/core/check.h"

namespace nystrom {
namespace {

constexpr std::array kHeads{
    &kPretrainingEntry,         &kMaskedLmEntry,          &kSequenceClassificationEntry,
    &kTokenClassificationEntry, &kQuestionAnsweringEntry, &kMultipleChoiceEntry,
    &kPairClassificationEntry,  &kEmbeddingEntry};

}  // namespace

std::span<const HeadEntry* const> head_registry() {
  return kHeads;
}

const HeadEntry& entry_of(HeadKind kind) {
  const auto found = std::ranges::find(kHeads, kind, &HeadEntry::kind);
  NYSTROM_CHECK(found != kHeads.end(), "head kind {} is not registered", static_cast<int>(kind));
  return **found;
}

const HeadEntry* find_head(std::string_view name) {
  const auto found = std::ranges::find(kHeads, name, &HeadEntry::name);
  return found == kHeads.end() ? nullptr : *found;
}

std::unique_ptr<Head> make_head(const HeadConfig& head, const HeadDependencies& dependencies) {
  const HeadEntry& entry = entry_of(head.kind);
  if (head.labels < 1) refuse("A {} head has {} labels; it needs at least 1.", entry.name, head.labels);
  return entry.make(head, dependencies);
}

}  // namespace nystrom
