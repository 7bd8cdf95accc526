#pragma once
// Command lines to print for a user to type again.

#include <string>
#include <string_view>
#include <vector>

namespace nystrom {

/// `word` as a POSIX shell takes it: in single quotes where it has a character that the shell would read.
[[nodiscard]] std::string shell_word(std::string_view word);

/// "CONFIG --set KEY=VALUE ...": a configuration with its overrides.
[[nodiscard]] std::string shell_text(const std::string& config, const std::vector<std::string>& overrides);

}  // namespace nystrom
