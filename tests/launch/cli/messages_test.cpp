// The table of messages says what the program says.

#include "launch/cli/messages.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

namespace nystrom {
namespace {

/// Everything between quotes in the program's sources, neighbouring literals joined, {...} as the table's
/// ellipsis.
std::string literals_of_the_program() {
  std::string all;
  for (const char* folder : {"launch", "trainer", "model", "data", "kernels"})
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
      if (entry.path().extension() != ".cpp" || entry.path().filename() == "messages.cpp") continue;
      std::ifstream file(entry.path());
      const std::string source{std::istreambuf_iterator<char>(file), {}};
      bool inside = false, fresh = true;
      for (std::size_t i = 0; i < source.size(); ++i) {
        const char c = source[i];
        if (c == '"' && (i == 0 || (source[i - 1] != '\\' && source[i - 1] != '\''))) {
          inside = !inside;
          if (inside && !fresh) all += '\n';  // something stood between the two
          fresh = true;
        } else if (inside) {
          all += c;
        } else if (c != ' ' && c != '\n') {
          fresh = false;
        }
      }
    }
  return all;
}

TEST(Messages, stand_in_the_code_as_the_table_has_them) {
  const std::string program = literals_of_the_program();
  constexpr std::string_view kEllipsis = "…";
  for (const Message& message : messages())
    for (std::string_view rest = message.sentence; !rest.empty();) {
      const auto end = rest.find(kEllipsis);
      const std::string_view piece = rest.substr(0, end);
      EXPECT_NE(program.find(piece), std::string::npos)
          << "`" << piece << "` of `" << message.sentence << "` is in no source file";
      rest = end == std::string_view::npos ? "" : rest.substr(end + kEllipsis.size());
    }
}

TEST(Messages, the_documentation_is_what_the_program_prints) {
  std::ifstream file("docs/messages.md");
  std::stringstream text;
  text << file.rdbuf();
  EXPECT_TRUE(text.str() == messages_document())
      << "docs/messages.md is out of date: build/nystrom --help-messages > docs/messages.md";
}

}  // namespace
}  // namespace nystrom
