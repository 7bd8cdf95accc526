#pragma once
// Labels of a drawing: their width, and truncation to the available space.

#include <cstddef>
#include <string>
#include <string_view>

namespace nystrom {

/// Characters of UTF-8; a byte that is none counts as one.
[[nodiscard]] std::size_t label_length(std::string_view text);

/// At most `characters` (>= 1) of `text`, the last of them "…" where some are left out.
[[nodiscard]] std::string short_label(std::string_view text, std::size_t characters);

}  // namespace nystrom
