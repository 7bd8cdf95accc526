#include "data/tokenizer/model/unicode_classes.h"

#include <unicode/uchar.h>

#include "data/text/utf8.h"

namespace nystrom {
namespace {
auto code(char32_t c) {
  return static_cast<UChar32>(c);
}
std::uint32_t category(char32_t c) {
  return U_GET_GC_MASK(code(c));
}
// Hugging Face's library has the tables of old versions of Unicode: 8 for BERT's classes, 9 for StripAccents.
constexpr std::uint8_t kBert = 8, kStripAccents = 9;

/// The category as of a version: none for what came later, and for what was classed otherwise what it was.
std::uint32_t category(char32_t c, std::uint8_t version) {
  struct Change {
    char32_t c;
    std::uint8_t last;  // version before it
    std::uint32_t category;
  };
  static constexpr Change kChanges[] = {{0x166D, 11, U_GC_PO_MASK}, {0x1734, 13, U_GC_MN_MASK},
                                        {0x1885, 8, U_GC_LO_MASK},  {0x1886, 8, U_GC_LO_MASK},
                                        {0x1CF2, 11, U_GC_MC_MASK}, {0x1CF3, 11, U_GC_MC_MASK},
                                        {0xA9BD, 10, U_GC_MC_MASK}, {0x111C9, 10, U_GC_PO_MASK}};
  for (const auto& change : kChanges) {
    if (change.c == c && version <= change.last) return change.category;
  }
  UVersionInfo since;
  u_charAge(code(c), since);
  return since[0] > version ? 0 : category(c);
}
}  // namespace

bool is_space(char32_t c) {
  if (c < 0x80) return c == ' ' || (c >= 9 && c <= 13);
  return u_isUWhiteSpace(code(c)) != 0;
}
bool is_punctuation(char32_t c) {
  if (c < 0x80)
    return (c >= 33 && c <= 47) || (c >= 58 && c <= 64) || (c >= 91 && c <= 96) || (c >= 123 && c <= 126);
  return (category(c, kBert) & U_GC_P_MASK) != 0;
}
bool is_ideograph(char32_t c) {
  return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) || (c >= 0x20000 && c <= 0x2A6DF) ||
         (c >= 0x2A700 && c <= 0x2B73F) || (c >= 0x2B740 && c <= 0x2B81F) || (c >= 0x2B920 && c <= 0x2CEAF) ||
         (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x2F800 && c <= 0x2FA1F);
}
bool is_other(char32_t c) {
  if (c < 0x80) return c < 0x20 || c == 0x7F;
  return (category(c, kBert) & (U_GC_CC_MASK | U_GC_CF_MASK | U_GC_CO_MASK | U_GC_CS_MASK)) != 0;
}
bool is_nonspacing_mark(char32_t c) {
  return c >= 0x300 && (category(c, kBert) & U_GC_MN_MASK) != 0;
}
bool is_mark(char32_t c) {
  return c >= 0x300 && (category(c, kStripAccents) & U_GC_M_MASK) != 0;
}
bool is_letter(char32_t c) {
  if (c < 0x80) return (c | 0x20U) - 'a' < 26U;
  return (category(c) & U_GC_L_MASK) != 0;
}
bool is_number(char32_t c) {
  if (c < 0x80) return c - '0' < 10U;
  return (category(c) & U_GC_N_MASK) != 0;
}
bool is_word_character(char32_t c) {
  constexpr std::uint32_t kOthers = U_GC_M_MASK | U_GC_ND_MASK | U_GC_PC_MASK;
  return (category(c) & kOthers) != 0 || u_hasBinaryProperty(code(c), UCHAR_ALPHABETIC) != 0 ||
         u_hasBinaryProperty(code(c), UCHAR_JOIN_CONTROL) != 0;
}
char32_t to_lower(char32_t c) {
  if (c < 0x80) return c >= 'A' && c <= 'Z' ? c + 32 : c;
  return static_cast<char32_t>(u_tolower(code(c)));
}

CodePoint code_point_at(std::string_view text, std::size_t at) {
  const auto byte = static_cast<unsigned char>(text[at]);
  if (byte < 0x80) return {byte, 1};
  const std::size_t length = utf8_sequence(text.substr(at));
  if (length == 0) return {0xFFFD, 1};
  return {utf8_decode(text.data() + at, length), length};
}

}  // namespace nystrom
