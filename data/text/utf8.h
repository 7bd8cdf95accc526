#pragma once
// UTF-8: decoding and repair of arbitrary bytes.

#include <cstdint>
#include <string>
#include <string_view>

#include "kernels/core/utf8.h"

namespace nystrom {

/// Bytes that were replaced by U+FFFD.
struct Repairs {
  std::int64_t invalid_bytes = 0;
  std::int64_t nul_bytes = 0;
  Repairs& operator+=(const Repairs& other) {
    invalid_bytes += other.invalid_bytes;
    nul_bytes += other.nul_bytes;
    return *this;
  }
};

/// What half a surrogate pair of UTF-16 counts as.
inline constexpr std::int64_t kSurrogateBytes = 2;

/// Replaces each byte that is part of no well-formed sequence, and each NUL, by U+FFFD. Adds to `repairs`.
std::string repair_utf8(std::string text, Repairs& repairs);

/// Code points of valid UTF-8.
std::int64_t count_characters(std::string_view text);

/// The encoding of a text.
enum class Encoding : std::uint8_t { kUtf8, kLatin1, kUtf16Little, kUtf16Big };

/// From a byte order mark; without one, Latin-1 where the bytes are not UTF-8 and look like letters and signs
/// of Windows' Latin-1, else UTF-8.
Encoding detect_encoding(std::string_view bytes);

/// To valid UTF-8 without byte order mark. Latin-1 is read as Windows-1252, its superset. Adds to `repairs`.
std::string decode_text(std::string bytes, Encoding encoding, Repairs& repairs);

}  // namespace nystrom
