#pragma once
// The tokens that are not text. Defaults are transformers' for Nystromformers.

#include <array>
#include <cstdint>

namespace nystrom {

struct SpecialTokens {
  std::int32_t bos = 0;   ///< <s>
  std::int32_t pad = 1;   ///< <pad>
  std::int32_t eos = 2;   ///< </s>
  std::int32_t unk = 3;   ///< <unk>
  std::int32_t mask = 4;  ///< <mask>

  [[nodiscard]] std::array<std::int32_t, 5> ids() const { return {bos, pad, eos, unk, mask}; }
  [[nodiscard]] bool contains(std::int32_t id) const {
    return id == bos || id == pad || id == eos || id == unk || id == mask;
  }
  bool operator==(const SpecialTokens&) const = default;
};

}  // namespace nystrom
