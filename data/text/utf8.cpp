#include "data/text/utf8.h"

#include <array>
#include <cstring>

namespace nystrom {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";
constexpr std::string_view kUtf8Mark = "\xEF\xBB\xBF";

// Windows-1252 at 0x80 to 0x9F; 0 where it has no character.
constexpr std::array<char16_t, 32> kWindows1252{
    0x20AC, 0,      0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160,
    0x2039, 0x0152, 0,      0x017D, 0,      0,      0x2018, 0x2019, 0x201C, 0x201D, 0x2022,
    0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0,      0x017E, 0x0178};

unsigned byte_at(std::string_view text, std::size_t i) {
  return static_cast<unsigned char>(text[i]);
}

/// First position at or after `from` of a byte that is not plain ASCII, or is NUL.
std::size_t skip_ascii(std::string_view text, std::size_t from) {
  while (from + 8 <= text.size()) {
    std::uint64_t word = 0;
    std::memcpy(&word, text.data() + from, 8);
    const std::uint64_t zero = (word - 0x0101010101010101U) & ~word;
    if (((word | zero) & 0x8080808080808080U) != 0) break;
    from += 8;
  }
  while (from < text.size() && byte_at(text, from) - 1U < 0x7FU) ++from;
  return from;
}

bool is_ascii_letter(unsigned c) {
  return (c | 0x20U) - 'a' < 26U;
}

std::string from_latin1(std::string_view bytes, Repairs& repairs) {
  std::string text;
  text.reserve(bytes.size() + bytes.size() / 8);
  for (const char byte : bytes) {
    const auto c = static_cast<unsigned char>(byte);
    const char32_t code = c >= 0x80 && c < 0xA0 ? char32_t{kWindows1252.at(c - 0x80U)} : char32_t{c};
    if (code != 0) {
      append_utf8(text, code);
    } else {
      text += kReplacement;
      ++(c == 0 ? repairs.nul_bytes : repairs.invalid_bytes);
    }
  }
  return text;
}

std::string from_utf16(std::string_view bytes, bool little, Repairs& repairs) {
  std::string text;
  text.reserve(bytes.size());
  const auto unit = [&](std::size_t i) {
    const unsigned first = byte_at(bytes, i), second = byte_at(bytes, i + 1);
    return little ? second << 8U | first : first << 8U | second;
  };
  std::size_t i = 0;
  for (; i + 1 < bytes.size(); i += 2) {
    const unsigned u = unit(i);
    if (u == 0xFEFF) continue;
    if (u >= 0xD800 && u < 0xDC00 && i + 3 < bytes.size() && (unit(i + 2) & 0xFC00U) == 0xDC00U) {
      append_utf8(text, 0x10000U + ((u - 0xD800U) << 10U) + (unit(i + 2) - 0xDC00U));
      i += 2;
    } else if (u == 0 || (u >= 0xD800 && u < 0xE000)) {
      text += kReplacement;
      (u == 0 ? repairs.nul_bytes : repairs.invalid_bytes) += 2;
    } else {
      append_utf8(text, u);
    }
  }
  if (i < bytes.size()) {
    text += kReplacement;
    ++repairs.invalid_bytes;
  }
  return text;
}

}  // namespace

std::string repair_utf8(std::string text, Repairs& repairs) {
  const auto bad_from = [&text](std::size_t i) {
    for (;;) {
      i = skip_ascii(text, i);
      if (i >= text.size() || text[i] == '\0') return i;
      const std::size_t length = utf8_sequence(std::string_view(text).substr(i));
      if (length == 0) return i;
      i += length;
    }
  };
  std::size_t bad = bad_from(0);
  if (bad >= text.size()) return text;
  std::string repaired;
  repaired.reserve(text.size() + 64);
  std::size_t copied = 0;
  for (; bad < text.size(); bad = bad_from(copied)) {
    repaired.append(text, copied, bad - copied).append(kReplacement);
    ++(text[bad] == '\0' ? repairs.nul_bytes : repairs.invalid_bytes);
    copied = bad + 1;
  }
  return repaired.append(text, copied);
}

std::int64_t count_characters(std::string_view text) {
  std::int64_t count = 0;
  for (const char c : text) count += (static_cast<unsigned char>(c) & 0xC0U) != 0x80U ? 1 : 0;
  return count;
}

Encoding detect_encoding(std::string_view bytes) {
  if (bytes.starts_with("\xFF\xFE")) return Encoding::kUtf16Little;
  if (bytes.starts_with("\xFE\xFF")) return Encoding::kUtf16Big;
  if (bytes.starts_with(kUtf8Mark)) return Encoding::kUtf8;
  std::int64_t sequences = 0, letters = 0, others = 0;
  for (std::size_t i = skip_ascii(bytes, 0); i < bytes.size(); i = skip_ascii(bytes, i)) {
    const std::size_t length = utf8_sequence(bytes.substr(i));
    if (length > 1) ++sequences;
    if (length > 0) {
      i += length;
      continue;
    }
    // A letter of Latin-1 has an ASCII letter next to it; the rest are signs such as the pound and the
    // quotes.
    const unsigned c = byte_at(bytes, i);
    const bool beside = (i > 0 && is_ascii_letter(byte_at(bytes, i - 1))) ||
                        (i + 1 < bytes.size() && is_ascii_letter(byte_at(bytes, i + 1)));
    const bool sign = c >= 0x80 && c < 0xC0 && (c >= 0xA0 || kWindows1252.at(c - 0x80U) != 0);
    ++(sign || (c >= 0xC0 && beside) ? letters : others);
    ++i;
  }
  return letters > 0 && others == 0 && letters > sequences ? Encoding::kLatin1 : Encoding::kUtf8;
}

std::string decode_text(std::string bytes, Encoding encoding, Repairs& repairs) {
  switch (encoding) {
    case Encoding::kLatin1:
      return from_latin1(bytes, repairs);
    case Encoding::kUtf16Little:
      return from_utf16(bytes, true, repairs);
    case Encoding::kUtf16Big:
      return from_utf16(bytes, false, repairs);
    case Encoding::kUtf8:
      break;
  }
  if (bytes.starts_with(kUtf8Mark)) bytes.erase(0, kUtf8Mark.size());
  return repair_utf8(std::move(bytes), repairs);
}

}  // namespace nystrom
