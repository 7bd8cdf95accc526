#pragma once
// nystrom(1), made from the table of commands.

#include <string>

namespace nystrom {

/// In the language of man(7), UTF-8.
[[nodiscard]] std::string manual_page();

}  // namespace nystrom
