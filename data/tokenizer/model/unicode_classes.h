#pragma once
// Classes of code points as Hugging Face's tokenizers know them, by tables of Unicode 8 and 9 where it has
// those.

#include <cstdint>
#include <string_view>

namespace nystrom {

/// White_Space.
bool is_space(char32_t c);
/// ASCII's signs (also those that Unicode calls symbols, such as $) and all of Unicode's punctuation (P*).
bool is_punctuation(char32_t c);
/// The blocks of ideographs that BERT sets apart as words.
bool is_ideograph(char32_t c);
/// Control, format, private use, surrogate (C*); of unassigned ones none.
bool is_other(char32_t c);
/// Mn
bool is_nonspacing_mark(char32_t c);
/// M*
bool is_mark(char32_t c);
/// L*, N*
bool is_letter(char32_t c);
bool is_number(char32_t c);
/// A letter, mark, decimal digit, connector or joiner: \w of a regular expression.
bool is_word_character(char32_t c);
/// Simple mapping; `c` itself where it has none or where lower case is more than one code point.
char32_t to_lower(char32_t c);

/// One code point of valid UTF-8, and its length.
struct CodePoint {
  char32_t value = 0;
  std::size_t length = 1;
};
CodePoint code_point_at(std::string_view text, std::size_t at);

}  // namespace nystrom
