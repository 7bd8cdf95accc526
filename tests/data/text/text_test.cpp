#include <gtest/gtest.h>

#include "data/text/clean.h"
#include "data/text/sentences.h"
#include "data/text/utf8.h"

namespace nystrom {
namespace {

using Strings = std::vector<std::string>;

std::string repaired(std::string text, Repairs& repairs) {
  return repair_utf8(std::move(text), repairs);
}

TEST(Utf8, valid_text_is_unchanged) {
  Repairs repairs;
  const std::string text = "plain, caf\u00e9, \u65e5\u672c, \U0001F600";
  EXPECT_EQ(repaired(text, repairs), text);
  EXPECT_EQ(repairs.invalid_bytes + repairs.nul_bytes, 0);
  EXPECT_EQ(count_characters(text), 18);
}

TEST(Utf8, invalid_utf8_is_replaced_and_counted) {
  Repairs repairs;
  EXPECT_EQ(repaired("a\xFFz", repairs), "a\uFFFDz");
  EXPECT_EQ(repaired("cut \xE2\x82", repairs), "cut \uFFFD\uFFFD");
  EXPECT_EQ(repaired("overlong \xC0\xAF", repairs), "overlong \uFFFD\uFFFD");
  EXPECT_EQ(repaired("surrogate \xED\xA0\x80", repairs), "surrogate \uFFFD\uFFFD\uFFFD");
  EXPECT_EQ(repairs.invalid_bytes, 8);
  EXPECT_EQ(repairs.nul_bytes, 0);
  EXPECT_EQ(repaired(std::string("12345678\0abcdefgh", 17), repairs), "12345678\uFFFDabcdefgh");
  EXPECT_EQ(repairs.nul_bytes, 1);
}

TEST(Encoding, is_seen_from_marks_and_bytes) {
  EXPECT_EQ(detect_encoding("plain"), Encoding::kUtf8);
  EXPECT_EQ(detect_encoding("caf\xE9 na\xEFve \xA3"), Encoding::kLatin1);
  EXPECT_EQ(detect_encoding("caf\u00e9"), Encoding::kUtf8);
  EXPECT_EQ(detect_encoding("caf\u00e9 and caf\u00e9 and one bad \xE9t\xE9"), Encoding::kUtf8)
      << "mostly UTF-8";
  EXPECT_EQ(detect_encoding("noise \xFF\xFE here"), Encoding::kUtf8) << "no letters of Latin-1";
  EXPECT_EQ(detect_encoding("\xFF\xFEh\0"), Encoding::kUtf16Little);
}

TEST(Encoding, every_kind_becomes_utf8) {
  Repairs repairs;
  EXPECT_EQ(decode_text("\xEF\xBB\xBFtext", Encoding::kUtf8, repairs), "text");
  EXPECT_EQ(decode_text("caf\xE9 \x93quoted\x94", Encoding::kLatin1, repairs),
            "caf\u00e9 \u201Cquoted\u201D");
  EXPECT_EQ(
      decode_text(std::string("\xFF\xFEh\0\xE9\0\x3D\xD8\x00\xDE", 10), Encoding::kUtf16Little, repairs),
      "h\u00e9\U0001F600");
  EXPECT_EQ(decode_text(std::string("\xFE\xFF\0h", 4), Encoding::kUtf16Big, repairs), "h");
  EXPECT_EQ(repairs.invalid_bytes + repairs.nul_bytes, 0);
}

TEST(Clean, white_space_becomes_one_space_and_is_trimmed) {
  CleanCounts counts;
  EXPECT_EQ(clean_text(" \t one\u00a0\u2003 two\r\nthree\n", Normalization::kNfc, counts), "one two three");
  EXPECT_EQ(counts.white_space, 3 + 2 + 1 + 1);
  EXPECT_EQ(counts.control, 0);
}

TEST(Clean, control_and_invisible_characters_go) {
  CleanCounts counts;
  EXPECT_EQ(clean_text("a\x07"
                       "b\u200Bc\u00ADd\uFEFF",
                       Normalization::kNfc, counts),
            "abcd");
  EXPECT_EQ(counts.control, 4);
}

TEST(Clean, normal_form_is_composed_when_asked) {
  CleanCounts counts;
  EXPECT_EQ(clean_text("cafe\u0301", Normalization::kNfc, counts), "caf\u00e9");
  EXPECT_EQ(counts.normalization, 1);
  EXPECT_EQ(clean_text("cafe\u0301", Normalization::kNone, counts), "cafe\u0301");
  EXPECT_EQ(clean_text("\uFB01ne", Normalization::kNfkc, counts), "fine");
}

struct SplitCase {
  Strings sentences;
};

class Sentences : public ::testing::TestWithParam<SplitCase> {};

TEST_P(Sentences, are_found_where_a_reader_finds_them) {
  std::string paragraph;
  for (const auto& sentence : GetParam().sentences) paragraph += (paragraph.empty() ? "" : " ") + sentence;
  SentenceSplitter splitter;
  EXPECT_EQ(splitter.split(paragraph), GetParam().sentences) << paragraph;
}

INSTANTIATE_TEST_SUITE_P(
    Table, Sentences,
    ::testing::Values(
        SplitCase{{"It rained.", "We stayed in."}}, SplitCase{{"Is it late?", "Go home!", "Now."}},
        SplitCase{{"Mr. Weaver met Mrs. Cole and Dr. Adams at St. Anne's."}},
        SplitCase{{"She reads, e.g. Latin and Greek, i.e. old books."}},
        SplitCase{{"He climbed Mt. Hood with Lt. Moss.", "It was cold."}},
        SplitCase{{"The map by J. R. Hale hangs here.", "Look."}},
        SplitCase{{"It costs 3.50 or 4.75.", "Take two."}},
        SplitCase{{"Turn to p. 55 and see fig. 3 there."}}, SplitCase{{"No. 7 is empty."}},
        SplitCase{{"He said no.", "Then he left."}}, SplitCase{{"He said no.", "Clouds came."}},
        SplitCase{{"She lives in the U.S. and works for the U.S. Senate."}},
        SplitCase{{"We left the U.S. in May.", "You stayed."}},
        SplitCase{{"They moved to the U.K.", "It suited them."}},
        SplitCase{{"At 5 a.m. Mr. Reed woke.", "He ran."}},
        SplitCase{{"They shop at Bell & Co. on Sundays.", "We do not."}},
        SplitCase{{"He sells pens, ink, etc.", "They all buy."}},
        SplitCase{{"Jane Doe, Ph.D., spoke first."}},
        SplitCase{{"\u201CStop!\u201D he cried.", "Nobody stopped."}},
        SplitCase{{"\"Where?\" she asked.", "\"Here,\" he said."}},
        SplitCase{{"\u201CGo.\u201D", "\u201CWhy?\u201D"}},
        SplitCase{{"He waited (it was early. Too early.) at the gate.", "Then it opened."}},
        SplitCase{{"I never meant that....", "She went out."}}, SplitCase{{"Well ... maybe not today."}},
        SplitCase{{"It is \u2026 hard to say."}}, SplitCase{{"1. Open the lid.", "2. Pour the water."}},
        SplitCase{{"1. Open the lid", "2. Pour the water 3 times", "3. Wait."}},
        SplitCase{{"a) The pot.", "b) The lid."}}, SplitCase{{"2.) The pot", "3.) The lid"}},
        SplitCase{{"\u2022 1. The pot", "\u2022 2. The lid"}},
        SplitCase{{"\u20431. The pot", "\u20432. The lid"}}, SplitCase{{"1. The pot has 2. lids."}},
        SplitCase{{"\u201CAll is well.\u201D (Stone 12).", "It was not."}},
        SplitCase{{"He left.", "(It was late.)", "She stayed."}},
        SplitCase{{"The thing is . . . I forgot it."}}, SplitCase{{"You and I.", "Ask Albert I. Stone."}},
        SplitCase{{"The vitamin is C.", "The other is D."}},
        SplitCase{{"Visit example.org or write to a.b@example.org today.", "Thanks."}},
        SplitCase{{"It works at Wow! in the city."}},
        SplitCase{{"On Jan. 5 it snowed.", "On Feb. 2 it did not."}},
        SplitCase{{"\u00C9mile came.", "\u00C9mile left."}},
        SplitCase{{"John Kent Jr. spoke.", "All listened."}}, SplitCase{{"One sentence without a stop"}},
        SplitCase{{"[He laughed.]", "They did not."}}, SplitCase{{"He was 45.", "She was 40."}},
        SplitCase{{"Prof. Lang vs. Prof. Moor was long."}}, SplitCase{{"What?!", "Yes."}},
        SplitCase{{"It ended in 1999.", "In 2001 it began again."}}));

TEST(Sentences, nothing_is_lost_and_an_empty_paragraph_has_none) {
  SentenceSplitter splitter;
  EXPECT_TRUE(splitter.split("").empty());
  EXPECT_TRUE(splitter.split("   ").empty());
  std::string long_paragraph;
  for (int i = 0; i < 5000; ++i) long_paragraph += "( Mr. A. (b. ";
  std::string joined;
  for (const auto& sentence : splitter.split(long_paragraph)) joined += sentence + " ";
  EXPECT_EQ(joined, long_paragraph);
}

}  // namespace
}  // namespace nystrom
