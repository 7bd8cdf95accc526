#include "launch/cli/help_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

#include "kernels/core/check.h"
#include "launch/cli/completion.h"
#include "launch/cli/manual_page.h"
#include "launch/cli/option_parser.h"
#include "launch/config/config.h"

namespace nystrom {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST(Wrapped, lines_end_at_the_last_blank_that_fits) {
  EXPECT_EQ(wrapped("one two three", 7), "one two\nthree");
  EXPECT_EQ(wrapped("one two three", 8, 2, 2), "one\n  two\n  three");
  EXPECT_EQ(wrapped("a longer-than-the-line b", 6), "a\nlonger-than-the-line\nb");
  EXPECT_EQ(wrapped("one\ntwo", 80, 2), "one\n  two");
  EXPECT_EQ(wrapped("ÄÖÜ ÄÖÜ", 7), "ÄÖÜ ÄÖÜ") << "characters, not bytes";
  EXPECT_EQ(wrapped("", 10), "");
}

std::size_t longest_line(const std::string& text) {
  std::size_t longest = 0;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) longest = std::max(longest, line.size());
  return longest;
}

TEST(Help, of_every_command_keeps_to_the_width) {
  EXPECT_LE(longest_line(program_help(80).substr(0, program_help(80).find("\nExample:"))), 80U);
  for (const CommandEntry& entry : command_table()) {
    const std::string help = command_help(entry, 72);
    EXPECT_LE(longest_line(help.substr(0, help.find("\nExample:"))), 72U) << help;
    EXPECT_THAT(help, AllOf(HasSubstr("\nExample:\n  "), HasSubstr("--set KEY=VALUE")));
  }
}

TEST(CommandTable, has_the_options_as_they_are_declared) {
  const auto table = command_table();
  const auto pretrain =
      std::ranges::find(table, "pretrain", [](const auto& entry) { return entry.command.name; });
  ASSERT_NE(pretrain, table.end());
  const auto option = [&](std::string_view name) {
    return *std::ranges::find(pretrain->options, name, &OptionEntry::name);
  };
  EXPECT_TRUE(option("CONFIG").positional());
  EXPECT_TRUE(option("CONFIG").required);
  EXPECT_TRUE(option("--takeover").flag());
  EXPECT_THAT(option("--resume").words(), ElementsAre("auto", "never"));
  EXPECT_FALSE(option("--resume").closed());
  EXPECT_EQ(usage_text(*pretrain), "nystrom pretrain CONFIG [OPTIONS]");
}

TEST(Completion, has_every_option_and_key) {
  for (const char* shell : {"bash", "zsh", "fish"}) {
    const std::string script = completion_script(shell);
    for (const CommandEntry& entry : command_table())
      for (const OptionEntry& option : entry.options) {
        if (option.positional()) continue;
        EXPECT_THAT(script, HasSubstr(option.name.substr(2))) << shell;
      }
    for (const auto& key : configuration_keys()) EXPECT_THAT(script, HasSubstr(key + "=")) << shell;
  }
  EXPECT_THROW((void)completion_script("csh"), InputError);
}

TEST(ManualPage, has_every_command_and_option) {
  const std::string page = manual_page();
  EXPECT_THAT(page, StartsWith(".\\\" Made by"));
  for (const CommandEntry& entry : command_table()) {
    EXPECT_THAT(page, HasSubstr("\n.SS nystrom " + entry.command.name));
    for (const OptionEntry& option : entry.options) {
      std::string name = option.name;
      for (auto at = name.find('-'); at != std::string::npos; at = name.find('-', at + 2))
        name.insert(at, "\\");
      EXPECT_THAT(page, HasSubstr(name));
    }
  }
}

}  // namespace
}  // namespace nystrom
