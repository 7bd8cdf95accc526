#pragma once
// Case folding of any script.

#include <string>
#include <string_view>

namespace nystrom {

/// `text` with Unicode's simple case folding, a character at a time; the dotted and the dotless i of Turkish
/// become "i". Bytes that are not valid UTF-8 stay.
[[nodiscard]] std::string case_folded(std::string_view text);

/// Has the character two cases and is this the lower one? Ordinal indicators (ª, º) have none.
[[nodiscard]] bool is_lower_case(char32_t c);
/// The same of the upper one, titlecase included.
[[nodiscard]] bool is_upper_case(char32_t c);

}  // namespace nystrom
