#pragma once
// Completion for shells: scripts made from the table of commands and the table of configuration keys.

#include <string>
#include <string_view>

namespace nystrom {

/// `shell`: "bash", "zsh" or "fish". Refuses (InputError) another.
[[nodiscard]] std::string completion_script(std::string_view shell);

}  // namespace nystrom
