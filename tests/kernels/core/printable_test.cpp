// Text of files on its way to a terminal.

#include "kernels/core/printable.h"

#include <fmt/ranges.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernels/core/check.h"
#include "kernels/core/html.h"

namespace nystrom {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST(Printable, printable_text_is_unchanged) {
  for (const char* text :
       {"", "data/a b.txt", "Grüße", "日本語", "\U0001F600", "می\u200cخواهم", "back\\slash `x`"})
    EXPECT_EQ(printable(text), text);
}

TEST(Printable, control_sequences_of_a_terminal_are_escaped) {
  EXPECT_EQ(printable("\x1b]0;title\x07"), "\\x1b]0;title\\x07");
  EXPECT_EQ(printable("a\nb\tc\rd"), "a\\nb\\tc\\rd");
  EXPECT_EQ(printable("\x7f"), "\\x7f");
  EXPECT_EQ(printable("\u009b2J"), "\\u009b2J") << "CSI of one character";
  EXPECT_EQ(printable("evil\u202egpj.exe"), "evil\\u202egpj.exe");
  EXPECT_EQ(printable("\u2028\u2066\U000E0041"), "\\u2028\\u2066\\ue0041");
  EXPECT_EQ(printable(std::string("\xff\x9b\xc3", 3)), "\\xff\\x9b\\xc3");
  EXPECT_EQ(printable(std::string("a\0b", 3)), "a\\x00b");
}

TEST(Printable, lines_keep_their_breaks) {
  EXPECT_EQ(printable_lines("a\n\tb\x1b\r\n"), "a\n\tb\\x1b\\r\n");
}

TEST(Printable, long_text_is_truncated_in_the_middle_between_characters) {
  const std::string shown = printable("begin" + std::string(3'000'000, 'A') + "end");
  EXPECT_LE(shown.size(), kMaxShownBytes);
  EXPECT_THAT(shown, StartsWith("beginA"));
  EXPECT_THAT(shown, HasSubstr("A…A"));
  EXPECT_THAT(shown, EndsWith("Aend"));
  for (std::size_t bytes = 20; bytes < 40; ++bytes) {
    std::string umlauts;
    for (int i = 0; i < 100; ++i) umlauts += "ü";
    EXPECT_LE(printable(umlauts, bytes).size(), bytes);
    EXPECT_EQ(printable(umlauts, bytes).find("\\x"), std::string::npos);
  }
  EXPECT_LE(printable(std::string(100'000, '\x1b')).size(), kMaxShownBytes);
}

TEST(Printable, twice_is_the_same) {
  for (const std::string& text :
       {std::string("\x1b[31m\n"), std::string(10'000, '\x1b'), std::string(10'000, 'a')})
    EXPECT_EQ(printable(printable(text)), printable(text));
}

std::string message(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(Printable, values_in_messages_are_printable_and_the_message_itself_is_left) {
  const std::string name = "a\x1b\n";
  const std::vector<std::string> names{name, "b"};
  EXPECT_EQ(message([&] {
              refuse("{} is\nbad: {} ({}, {:.1f}, {}).", name, fmt::join(names, ", "), 3, 0.25, true);
            }),
            "a\\x1b\\n is\nbad: a\\x1b\\n, b (3, 0.2, true).");
  EXPECT_EQ(message([&] { fail("{} {}", std::string_view(name), name.c_str()); }), "a\\x1b\\n a\\x1b\\n");
  EXPECT_LT(message([&] { refuse("{}", std::string(3'000'000, 'A')); }).size(), 5000U);
}

TEST(Printable, reports_hold_no_control_characters) {
  EXPECT_EQ(html_escaped("<b>\x1b[2J\n&"), "&lt;b&gt;\\x1b[2J\n&amp;");
}

}  // namespace
}  // namespace nystrom
