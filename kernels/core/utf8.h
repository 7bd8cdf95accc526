#pragma once
// UTF-8: one sequence at a time.

#include <cstddef>
#include <string>
#include <string_view>

namespace nystrom {

/// Length in bytes of the well-formed UTF-8 sequence that `text` begins with; 0 if it begins with none.
/// Overlong forms, surrogates and code points above U+10FFFF are not well-formed.
std::size_t utf8_sequence(std::string_view text);

/// The code point of a well-formed sequence of `length` bytes at `at`.
char32_t utf8_decode(const char* at, std::size_t length);

void append_utf8(std::string& text, char32_t code_point);

}  // namespace nystrom
