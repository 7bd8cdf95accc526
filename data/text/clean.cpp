#include "data/text/clean.h"

#include <unicode/bytestream.h>
#include <unicode/normalizer2.h>

#include <algorithm>

#include "data/text/utf8.h"
#include "kernels/core/check.h"

namespace nystrom {
namespace {

bool is_ascii(const std::string& text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

bool is_white_space(char32_t c) {
  return c == ' ' || (c >= 0x09 && c <= 0x0D) || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
         c == 0x3000;
}

/// Controls, soft hyphen, zero-width space, direction marks, byte order marks. The joiners U+200C and U+200D
/// stay: they are part of how some languages are written.
bool is_control(char32_t c) {
  return c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0xAD || c == 0x200B || c == 0x200E || c == 0x200F ||
         (c >= 0x202A && c <= 0x202E) || (c >= 0x2060 && c <= 0x206F) || c == 0xFEFF ||
         (c >= 0xFFF9 && c <= 0xFFFB);
}

std::string normalized(const std::string& text, Normalization normalization) {
  UErrorCode status = U_ZERO_ERROR;
  const auto* form = normalization == Normalization::kNfc ? icu::Normalizer2::getNFCInstance(status)
                                                          : icu::Normalizer2::getNFKCInstance(status);
  std::string result;
  icu::StringByteSink<std::string> sink(&result, static_cast<std::int32_t>(text.size()));
  if (U_SUCCESS(status)) form->normalizeUTF8(0, icu::StringPiece(text), sink, nullptr, status);
  if (U_FAILURE(status))
    fail("ICU failed to normalize a text of {} bytes: {}.", text.size(), u_errorName(status));
  return result;
}

}  // namespace

Normalization normalization_of(const std::string& name) {
  if (name == "none") return Normalization::kNone;
  if (name == "nfc") return Normalization::kNfc;
  if (name == "nfkc") return Normalization::kNfkc;
  refuse("The normalization {} is unknown; it is nfc, nfkc or none.", name);
}

std::string clean_text(std::string text, Normalization normalization, CleanCounts& counts) {
  if (normalization != Normalization::kNone && !is_ascii(text)) {
    const auto before = count_characters(text);
    text = normalized(text, normalization);
    counts.normalization += before - count_characters(text);
  }
  std::size_t to = 0;
  bool blank = false;
  for (std::size_t from = 0; from < text.size();) {
    const std::size_t length = std::max<std::size_t>(1, utf8_sequence(std::string_view(text).substr(from)));
    const char32_t c = utf8_decode(text.data() + from, length);
    if (is_white_space(c)) {
      ++counts.white_space;
      blank = true;
    } else if (is_control(c)) {
      ++counts.control;
    } else {
      if (blank && to > 0) {
        text[to++] = ' ';
        --counts.white_space;
      }
      blank = false;
      for (std::size_t i = 0; i < length; ++i) text[to++] = text[from + i];
    }
    from += length;
  }
  text.resize(to);
  return text;
}

}  // namespace nystrom
