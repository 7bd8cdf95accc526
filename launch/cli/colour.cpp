#include "launch/cli/colour.h"

#include <fmt/format.h>

#include <cstdlib>

#include "launch/cli/terminal.h"

namespace nystrom {
namespace {

bool has_colours() {
  const char* refused = std::getenv("NO_COLOR");
  return (refused == nullptr || *refused == '\0') && error_terminal().present;
}

}  // namespace

std::string coloured(Colour colour, std::string_view text) {
  const int code = colour == Colour::kRed ? 31 : 33;
  return has_colours() ? fmt::format("\x1b[{}m{}\x1b[0m", code, text) : std::string(text);
}

}  // namespace nystrom
