#include "data/text/case_folding.h"

#include <unicode/uchar.h>

#include <algorithm>

#include "data/text/utf8.h"

namespace nystrom {
namespace {

constexpr char32_t kDottedCapital = 0x130, kDotlessSmall = 0x131;

char32_t folded(char32_t c) {
  if (c == kDottedCapital || c == kDotlessSmall) return 'i';
  return static_cast<char32_t>(u_foldCase(static_cast<UChar32>(c), U_FOLD_CASE_DEFAULT));
}

}  // namespace

std::string case_folded(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    const std::size_t length = std::max<std::size_t>(1, utf8_sequence(text));
    const char first = text.front();
    if (length > 1)
      append_utf8(result, folded(utf8_decode(text.data(), length)));
    else
      result += first >= 'A' && first <= 'Z' ? static_cast<char>(first - 'A' + 'a') : first;
    text.remove_prefix(length);
  }
  return result;
}

bool is_lower_case(char32_t c) {
  return u_charType(static_cast<UChar32>(c)) == U_LOWERCASE_LETTER;
}

bool is_upper_case(char32_t c) {
  const auto type = u_charType(static_cast<UChar32>(c));
  return type == U_UPPERCASE_LETTER || type == U_TITLECASE_LETTER;
}

}  // namespace nystrom
