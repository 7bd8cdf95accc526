#pragma once
// Refusal of files that are not text: archives, data formats and programs by their first bytes, others by how
// much of their beginning is not text.

#include <string>
#include <string_view>

#include "data/text/utf8.h"

namespace nystrom {

inline constexpr std::size_t kCheckedBytes = std::size_t{64} << 10U;

/// `head`: the first bytes of a file's content, at most kCheckedBytes. Throws InputError, naming the file,
/// where they begin like a known format that is not text, or where over 1 % of them (and at least 64) are
/// control characters or no characters of `encoding`.
void check_is_text(std::string_view head, Encoding encoding, const std::string& path);

/// The same for text of an unknown encoding: refuses known formats, and control characters beyond that share.
void check_is_no_binary(std::string_view head, const std::string& path);

}  // namespace nystrom
