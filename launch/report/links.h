#pragma once
// Links between pages.

#include <string>

namespace nystrom {

/// A path encoded for a link: letters, digits and - _ . / as they are, other bytes as %XX.
[[nodiscard]] std::string link_escaped(const std::string& path);

}  // namespace nystrom
