#include "launch/cli/shell_text.h"

#include <algorithm>
#include <cctype>

namespace nystrom {

std::string shell_word(std::string_view word) {
  const auto plain = [](unsigned char c) {
    return std::isalnum(c) != 0 || c >= 0x80 ||
           std::string_view("_-+=:,./@%").find(static_cast<char>(c)) != std::string_view::npos;
  };
  if (!word.empty() && std::ranges::all_of(word, plain)) return std::string(word);
  std::string quoted = "'";
  for (const char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

std::string shell_text(const std::string& config, const std::vector<std::string>& overrides) {
  std::string text = shell_word(config);
  for (const auto& each : overrides) text += " --set " + shell_word(each);
  return text;
}

}  // namespace nystrom
