#pragma once
// Help of the program and of its commands, wrapped at the terminal's width.

#include <string>
#include <string_view>

#include "launch/cli/command.h"

namespace nystrom {

/// `text` in lines of at most `columns` characters (UTF-8 code points), each but the first after `indent`
/// blanks; its own line breaks stay, and what has no blank is not broken. The first line begins in column
/// `at`.
[[nodiscard]] std::string wrapped(std::string_view text, std::size_t columns, std::size_t indent = 0,
                                  std::size_t at = 0);

/// `nystrom --help`.
[[nodiscard]] std::string program_help(std::size_t columns);
/// `nystrom COMMAND --help`.
[[nodiscard]] std::string command_help(const CommandEntry& entry, std::size_t columns);

/// "nystrom convert --from TEXT --to TEXT [OPTIONS]"
[[nodiscard]] std::string usage_text(const CommandEntry& entry);

}  // namespace nystrom
