#pragma once
// Links between pages.

#include <string>

namespace nystrom {

/// A path as it may stand in a link: letters, digits and - _ . / as they are, other bytes as %XX.
[[nodiscard]] std::string link_escaped(const std::string& path);

}  // namespace nystrom
