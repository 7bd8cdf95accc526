// docs/architecture.md quotes the code as it is: each line of C++ in it stands in a file that it links to.

#include <gtest/gtest.h>

#include <filesystem>
#include <sstream>
#include <string>

#include "file_bytes.h"

namespace nystrom {
namespace {

namespace fs = std::filesystem;

/// Without a comment behind it and with single blanks.
std::string code_of(const std::string& line) {
  std::istringstream words(line.substr(0, line.find("  //")));
  std::string code;
  for (std::string word; words >> word;) code += (code.empty() ? "" : " ") + word;
  return code;
}

/// The files of `[...](../FILE)`, one after another, each line as code_of gives it.
std::string linked_code(const std::string& document) {
  const std::string link = "](../";
  std::string code;
  for (std::size_t at = document.find(link); at != std::string::npos; at = document.find(link, at + 1)) {
    const std::size_t begin = at + link.size();
    const fs::path file = document.substr(begin, document.find(')', begin) - begin);
    if (file.extension() != ".cpp" && file.extension() != ".h") continue;
    std::istringstream lines(testing::read_bytes(file));
    for (std::string line; std::getline(lines, line);) code += code_of(line) + "\n";
  }
  return code;
}

TEST(Documents, the_code_that_architecture_quotes_is_that_of_the_tree) {
  const std::string document = testing::read_bytes("docs/architecture.md");
  const std::string code = linked_code(document);
  std::istringstream lines(document);
  bool quoted = false;
  int count = 0;
  for (std::string line; std::getline(lines, line);) {
    const std::string text = code_of(line);
    if (text.starts_with("```")) {
      quoted = !quoted && text == "```cpp";
      continue;
    }
    if (!quoted) continue;
    ++count;
    EXPECT_NE(code.find(text), std::string::npos) << "docs/architecture.md quotes: " << text;
  }
  EXPECT_GT(count, 20);
}

}  // namespace
}  // namespace nystrom
