#include "kernels/core/printable.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "kernels/core/utf8.h"

namespace nystrom {
namespace {

/// C0, DEL, C1; separators of lines and paragraphs; what embeds, overrides or isolates a direction; tags.
bool is_control(char32_t c) {
  return c < 0x20 || (c >= 0x7F && c < 0xA0) || (c >= 0x2028 && c <= 0x202E) ||
         (c >= 0x2066 && c <= 0x2069) || (c >= 0xFFF9 && c <= 0xFFFB) || (c >= 0xE0000 && c <= 0xE007F);
}

void append_escape(std::string& to, char32_t c) {
  const auto value = static_cast<std::uint32_t>(c);
  if (c == '\n')
    to += "\\n";
  else if (c == '\t')
    to += "\\t";
  else if (c == '\r')
    to += "\\r";
  else if (c < 0x80)
    fmt::format_to(std::back_inserter(to), "\\x{:02x}", value);
  else
    fmt::format_to(std::back_inserter(to), "\\u{:04x}", value);
}

bool begins_character(char byte) {
  return (static_cast<unsigned char>(byte) & 0xC0U) != 0x80U;
}

/// `text`, or its beginning and its end with `…` between. Cuts between characters.
std::string shortened(std::string_view text, std::size_t max_bytes) {
  constexpr std::string_view kCut = "…";
  if (text.size() <= max_bytes) return std::string(text);
  const std::size_t kept = max_bytes - kCut.size();
  std::size_t head = kept / 4 * 3, tail = text.size() - kept / 4;
  while (head > 0 && !begins_character(text[head])) --head;
  while (tail < text.size() && !begins_character(text[tail])) ++tail;
  return std::string(text.substr(0, head)).append(kCut).append(text.substr(tail));
}

std::string escaped(std::string_view text, std::size_t max_bytes, bool keeps_lines) {
  const std::string all = shortened(text, max_bytes);
  std::string shown;
  shown.reserve(all.size());
  for (std::size_t at = 0; at < all.size();) {
    const std::size_t length = utf8_sequence(std::string_view(all).substr(at));
    if (length == 0) {
      fmt::format_to(std::back_inserter(shown), "\\x{:02x}", static_cast<unsigned char>(all[at++]));
      continue;
    }
    const char32_t c = utf8_decode(all.data() + at, length);
    if (is_control(c) && !(keeps_lines && (c == '\n' || c == '\t')))
      append_escape(shown, c);
    else
      shown.append(all, at, length);
    at += length;
  }
  return shortened(shown, max_bytes);  // escapes are longer than what they stand for
}

}  // namespace

std::string printable(std::string_view text, std::size_t max_bytes) {
  return escaped(text, max_bytes, false);
}

std::string printable_lines(std::string_view text, std::size_t max_bytes) {
  return escaped(text, max_bytes, true);
}

}  // namespace nystrom
