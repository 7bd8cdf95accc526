#pragma once
// Scripts without spaces between words: Chinese, Japanese, Thai, Lao, Khmer, Myanmar and their kin. There
// each character, with the marks that follow it, counts as a word: in masking, decontamination and near
// duplicates.

#include <string_view>

namespace nystrom {

enum class Unspaced : unsigned char {
  kNo,        ///< of another script
  kBegins,    ///< begins a unit
  kContinues  ///< a mark: belongs to the unit before it
};

[[nodiscard]] Unspaced unspaced(char32_t c);

/// A blank or punctuation mark of these scripts: U+3000 to U+303F, and the fullwidth signs.
[[nodiscard]] bool is_wide_punctuation(char32_t c);

/// Do these bytes begin with the beginning of a unit? Of a truncated character, if its remaining bytes
/// occur in these scripts only.
[[nodiscard]] bool begins_unspaced_unit(std::string_view bytes);

}  // namespace nystrom
