#include "model/attention/registry.h"

#include <algorithm>

#include "model/attention/kinds.h"

namespace nystrom {
namespace {

std::vector<AttentionEntry>& entries() {
  static std::vector<AttentionEntry> all{kNystromAttention,   kSoftmaxAttention,   kLongformerAttention,
                                         kLinformerAttention, kPerformerAttention, kLinearAttention,
                                         kReformerAttention,  kNoAttention};
  return all;
}

}  // namespace

std::span<const AttentionEntry> attention_registry() {
  return entries();
}

const AttentionEntry* find_attention(std::string_view name) {
  const auto found = std::ranges::find(attention_registry(), name, &AttentionEntry::name);
  return found == attention_registry().end() ? nullptr : &*found;
}

const AttentionEntry& attention_entry(std::string_view name, std::string_view where) {
  if (const AttentionEntry* const entry = find_attention(name)) return *entry;
  refuse("{} is `{}`; it must be one of {}.", where, name, attention_names(", "));
}

std::string attention_names(std::string_view separator) {
  std::string text;
  for (const AttentionEntry& entry : attention_registry())
    text.append(text.empty() ? "" : separator).append(entry.name);
  return text;
}

bool stores_option(const AttentionEntry& entry, std::string_view key) {
  constexpr std::string_view kAlways[] = {"landmarks", "convolution", "pinv_iterations", "pinv_init"};
  return std::ranges::find(kAlways, key) != std::end(kAlways) ||
         std::ranges::find(entry.options, key) != entry.options.end();
}

void Attention::use(const GivenRandom& /*given*/) {
  throw InternalError("random numbers are given to a kind of attention that has none");
}

void register_attention(const AttentionEntry& entry) {
  NYSTROM_CHECK(find_attention(entry.name) == nullptr, "attention kind {} is registered twice", entry.name);
  entries().push_back(entry);
}

}  // namespace nystrom
