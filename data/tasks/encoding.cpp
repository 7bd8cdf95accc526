#include "data/tasks/encoding.h"

#include <algorithm>

#include "kernels/core/check.h"

namespace nystrom {
namespace {
constexpr std::int64_t kMinLength = 8;

void count_cut(EncodingCounts& counts, std::size_t lost) {
  ++counts.sequences;
  if (lost > 0) ++counts.truncated;
  counts.tokens_lost += static_cast<std::int64_t>(lost);
}
}  // namespace

TextEncoder::TextEncoder(Tokenizer tokenizer, std::int64_t max_length)
    : tokenizer_(std::move(tokenizer)), max_length_(max_length) {
  if (max_length < kMinLength)
    refuse("`data.sequence_length` is {}; fine-tuning needs at least {}.", max_length, kMinLength);
}

TaskSequence TextEncoder::single(const std::string& text, EncodingCounts& counts) const {
  auto ids = tokenizer_.encode(text);
  const auto room = static_cast<std::size_t>(max_length_ - 2);
  count_cut(counts, ids.size() > room ? ids.size() - room : 0);
  ids.resize(std::min(ids.size(), room));
  const SpecialIds& special = tokenizer_.special();
  ids.insert(ids.begin(), special.bos);
  ids.push_back(special.eos);
  TaskSequence sequence;
  sequence.second = static_cast<std::int32_t>(ids.size());
  sequence.ids = std::move(ids);
  return sequence;
}

TaskSequence TextEncoder::pair(const std::string& first, const std::string& second,
                               EncodingCounts& counts) const {
  auto a = tokenizer_.encode(first), b = tokenizer_.encode(second);
  const auto room = static_cast<std::size_t>(max_length_ - 3);
  const std::size_t whole = a.size() + b.size();
  while (a.size() + b.size() > room) (a.size() > b.size() ? a : b).pop_back();
  count_cut(counts, whole - a.size() - b.size());
  return joined(tokenizer_.special(), a, b);
}

TaskSequence TextEncoder::words(const std::vector<std::string>& words, EncodingCounts& counts) const {
  const SpecialIds& special = tokenizer_.special();
  const auto room = static_cast<std::size_t>(max_length_ - 1);  // </s> follows
  TaskSequence sequence;
  sequence.ids.push_back(special.bos);
  std::size_t lost = 0;
  std::vector<std::int32_t> pieces;
  for (const auto& word : words) {
    pieces.clear();
    tokenizer_.encode(word, pieces);
    if (pieces.empty()) pieces.push_back(special.unk);
    const std::size_t fits = lost > 0 ? 0 : std::min(pieces.size(), room - sequence.ids.size());
    lost += pieces.size() - fits;
    if (fits == 0) continue;
    sequence.label_rows.push_back(static_cast<std::int32_t>(sequence.ids.size()));
    sequence.ids.insert(sequence.ids.end(), pieces.begin(),
                        pieces.begin() + static_cast<std::ptrdiff_t>(fits));
  }
  sequence.ids.push_back(special.eos);
  sequence.second = static_cast<std::int32_t>(sequence.ids.size());
  count_cut(counts, lost);
  return sequence;
}

TaskSequence joined(const SpecialIds& special, std::span<const std::int32_t> first,
                    std::span<const std::int32_t> second) {
  TaskSequence sequence;
  auto& ids = sequence.ids;
  ids.reserve(first.size() + second.size() + 3);
  ids.push_back(special.bos);
  ids.insert(ids.end(), first.begin(), first.end());
  ids.push_back(special.eos);
  sequence.second = static_cast<std::int32_t>(ids.size());
  ids.insert(ids.end(), second.begin(), second.end());
  ids.push_back(special.eos);
  return sequence;
}

}  // namespace nystrom
