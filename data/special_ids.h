#pragma once
// Ids of the special tokens.

#include <array>
#include <cstdint>

namespace nystrom {

/// The ids of the special tokens; the defaults are those of `train_tokenizer` (and transformers' for
/// Nystromformers).
struct SpecialIds {
  std::int32_t bos = 0;   ///< begins a sequence: `<s>`, `[CLS]`
  std::int32_t pad = 1;   ///< fills a row
  std::int32_t eos = 2;   ///< ends a segment: `</s>`, `[SEP]`
  std::int32_t unk = 3;   ///< unknown text
  std::int32_t mask = 4;  ///< replaces a masked token

  [[nodiscard]] std::array<std::int32_t, 5> ids() const { return {bos, pad, eos, unk, mask}; }
  [[nodiscard]] bool contains(std::int32_t id) const {
    return id == bos || id == pad || id == eos || id == unk || id == mask;
  }
  bool operator==(const SpecialIds&) const = default;
};

}  // namespace nystrom
