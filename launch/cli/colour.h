#pragma once
// Colours of what the program says on stderr.

#include <string>
#include <string_view>

namespace nystrom {

enum class Colour { kRed, kYellow };

/// `text` in that colour where stderr is a terminal, unless the environment has NO_COLOR (no-color.org) or
/// TERM=dumb; else as it is.
[[nodiscard]] std::string coloured(Colour colour, std::string_view text);

}  // namespace nystrom
