#pragma once
// Escaping of text from files for terminals, logs and reports.

#include <cstddef>
#include <string>
#include <string_view>

namespace nystrom {

/// Longest text in a message; longer text is truncated in the middle.
inline constexpr std::size_t kMaxShownBytes = 4096;

/// `text` so that a terminal shows it and does nothing else: control characters, bytes that are not valid
/// UTF-8, and characters that turn the direction of a line become escapes (\n, \x1b, \u202e); what is
/// printable stays. Of more than `max_bytes` the beginning and the end, with … between. Applied twice, the
/// same.
[[nodiscard]] std::string printable(std::string_view text, std::size_t max_bytes = kMaxShownBytes);

/// The same for text of several lines: \n and \t stay.
[[nodiscard]] std::string printable_lines(std::string_view text, std::size_t max_bytes = 4 * kMaxShownBytes);

}  // namespace nystrom
