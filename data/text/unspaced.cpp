#include "data/text/unspaced.h"

#include <unicode/uchar.h>

#include <algorithm>
#include <array>

#include "data/text/utf8.h"

namespace nystrom {
namespace {

struct Range {
  char32_t first, last;
};

// By blocks, so that another version of Unicode changes nothing.
constexpr auto kRanges = std::to_array<Range>({
    {0x0E00, 0x0EFF},    // Thai, Lao
    {0x1000, 0x109F},    // Myanmar
    {0x1780, 0x17FF},    // Khmer
    {0x1950, 0x19DF},    // Tai Le, New Tai Lue
    {0x1A20, 0x1AAF},    // Tai Tham
    {0x2E80, 0x2FDF},    // radicals
    {0x3005, 0x3007},    // iteration mark, closing mark, zero
    {0x3021, 0x3029},    // Hangzhou numerals
    {0x3040, 0x312F},    // Hiragana, Katakana, Bopomofo
    {0x31A0, 0x31BF},    // Bopomofo
    {0x31F0, 0x31FF},    // Katakana
    {0x3400, 0x4DBF},    // ideographs
    {0x4E00, 0x9FFF},    // ideographs
    {0xA9E0, 0xA9FF},    // Myanmar
    {0xAA60, 0xAADF},    // Myanmar, Tai Viet
    {0xF900, 0xFAFF},    // ideographs
    {0xFF66, 0xFF9F},    // Katakana
    {0x1AFF0, 0x1B16F},  // Kana
    {0x20000, 0x3FFFF},  // ideographs
});

bool is_mark(char32_t c) {
  return (U_GET_GC_MASK(static_cast<UChar32>(c)) & U_GC_M_MASK) != 0;
}

}  // namespace

Unspaced unspaced(char32_t c) {
  if (c < kRanges.front().first) return Unspaced::kNo;
  const auto range = std::ranges::lower_bound(kRanges, c, {}, &Range::last);
  if (range == kRanges.end() || c < range->first) return Unspaced::kNo;
  return is_mark(c) ? Unspaced::kContinues : Unspaced::kBegins;
}

bool is_wide_punctuation(char32_t c) {
  if (c >= 0x3000 && c <= 0x303F) return unspaced(c) == Unspaced::kNo;
  return (c >= 0xFF01 && c <= 0xFF0F) || (c >= 0xFF1A && c <= 0xFF20) || (c >= 0xFF3B && c <= 0xFF40) ||
         (c >= 0xFF5B && c <= 0xFF65);
}

bool begins_unspaced_unit(std::string_view bytes) {
  const std::size_t length = utf8_sequence(bytes);
  if (length > 0) return unspaced(utf8_decode(bytes.data(), length)) == Unspaced::kBegins;
  if (bytes.empty() || bytes.size() > 2) return false;
  const auto first = static_cast<unsigned char>(bytes.front()),
             second = static_cast<unsigned char>(bytes.back());
  if (first >= 0xE3 && first <= 0xE9) return true;
  return bytes.size() == 2 &&
         ((first == 0xE0 && second >= 0xB8 && second <= 0xBB) ||
          (first == 0xE1 && (second == 0x80 || second == 0x81 || second == 0x9E || second == 0x9F)));
}

}  // namespace nystrom
