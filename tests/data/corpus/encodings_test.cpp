// Files of a corpus in UTF-16, and files that are not text.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "corpus_folder.h"
#include "data/text/utf8.h"
#include "read_corpus.h"

namespace nystrom {
namespace {

using ::testing::ElementsAre;
using testing::gzip;
using ::testing::HasSubstr;
using testing::made_folder;
using testing::message_of;
using testing::read_all;
using testing::tar_entry;
using testing::write_file;

/// `text`, which is ASCII except for U+0A0A and U+1F600, as UTF-16.
std::string utf16(std::u16string_view text, bool little, bool mark = true) {
  std::string bytes;
  const auto put = [&](char16_t unit) {
    const auto low = static_cast<char>(unit & 0xFFU), high = static_cast<char>(unit >> 8U);
    bytes += little ? low : high;
    bytes += little ? high : low;
  };
  if (mark) put(0xFEFF);
  for (const char16_t unit : text) put(unit);
  return bytes;
}

TEST(Utf16, is_decoded_before_lines_are_split) {
  const auto folder = made_folder("utf16");
  const std::u16string text = u"The sea \u0A0A is wide.\r\nThe town \U0001F600 is old.\nRain falls.\n";
  for (const bool little : {true, false}) {
    const auto path = write_file(folder / "l.txt", utf16(text, little));
    for (const char* encoding : {"utf-16", "auto"}) {
      const auto read = read_all({.kind = "lines", .path = path, .encoding = encoding});
      EXPECT_THAT(read.documents,
                  ElementsAre(ElementsAre("The sea \u0A0A is wide."),
                              ElementsAre("The town \U0001F600 is old."), ElementsAre("Rain falls.")))
          << encoding << little;
      EXPECT_EQ(read.repairs.invalid_bytes + read.skipped.repairs.invalid_bytes, 0);
    }
  }
  const auto bare = write_file(folder / "bare.txt", utf16(text, true, false));
  EXPECT_EQ(read_all({.kind = "lines", .path = bare, .encoding = "utf-16"}).documents.size(), 3U);
}

TEST(Utf16, is_read_in_books_and_json_lines) {
  const auto folder = made_folder("utf16");
  const auto json =
      write_file(folder / "a.jsonl", utf16(u"{\"text\": \"One \u0A0A.\"}\n{\"text\": \"Two.\"}\n", false));
  EXPECT_THAT(read_all({.kind = "jsonl", .path = json}).documents,
              ElementsAre(ElementsAre("One \u0A0A."), ElementsAre("Two.")));
  const auto book =
      write_file(folder / "b.txt", utf16(u"First it \u0A0A rained.\n\nThen it \U0001F600 stopped.\n", true));
  EXPECT_THAT(read_all({.kind = "books", .path = book}).documents,
              ElementsAre(ElementsAre("First it \u0A0A rained.", "Then it \U0001F600 stopped.")));
}

TEST(Utf16, pairs_and_units_survive_the_ends_of_blocks) {
  std::u16string text;
  for (int i = 0; i < 60000; ++i) text += i % 3 == 0 ? u"\U0001F600" : u"ab";
  for (const bool little : {true, false})
    for (const std::u16string_view before : {u"", u"x"}) {
      const auto path =
          write_file(made_folder("blocks") / "l.txt", utf16(std::u16string(before) + text, little));
      const auto read = read_all({.kind = "lines", .path = path});
      ASSERT_EQ(read.documents.size(), 1U);
      EXPECT_EQ(count_characters(read.documents[0][0]), std::ssize(before) + 20000 + 80000);
      EXPECT_EQ(read.skipped.repairs.invalid_bytes, 0);
    }
}

TEST(Utf16, half_a_unit_at_the_end_is_counted) {
  const auto path = write_file(made_folder("half") / "l.txt", utf16(u"Text.\n", true) + "x");
  const auto read = read_all({.kind = "lines", .path = path});
  EXPECT_THAT(read.documents, ElementsAre(ElementsAre("Text."), ElementsAre("\uFFFD")));
  EXPECT_EQ(read.skipped.repairs.invalid_bytes, 1);
}

TEST(Binary, files_that_are_not_text_are_refused_by_format) {
  const auto folder = made_folder("binary");
  std::string noise;
  for (int i = 0; i < 5000; ++i) noise += static_cast<char>(i * i % 251);
  const auto message = [&](const char* kind, const std::string& content) {
    return message_of({.kind = kind, .path = write_file(folder / "x.txt", content)});
  };
  for (const char* kind : {"lines", "books", "jsonl"}) {
    EXPECT_THAT(message(kind, "PAR1" + noise),
                HasSubstr("is not text but a Parquet file. Corpora of `kind: parquet` read such files"));
    EXPECT_THAT(message(kind, "PK\x03\x04" + noise), HasSubstr("a ZIP archive"));
    EXPECT_THAT(message(kind,
                        "\x7F"
                        "ELF" +
                            noise),
                HasSubstr("a program"));
    EXPECT_THAT(message(kind, gzip(gzip("Text.\n"))), HasSubstr("compressed twice"));
    EXPECT_THAT(message(kind, std::string("\xFF\xFE\0\0T\0\0\0", 8)), HasSubstr("is text in UTF-32"));
    EXPECT_THAT(message(kind, std::string("\0\0\xFE\xFF\0\0\0T", 8)), HasSubstr("iconv -f UTF-32"));
    EXPECT_THAT(message(kind, noise), HasSubstr("x.txt is not text: of its first 5000 bytes"));
    EXPECT_THAT(message(kind, gzip(noise)), HasSubstr("is not text: of its first"));
  }
  EXPECT_THAT(message("lines", tar_entry("a.txt", "Text.") + std::string(1024, '\0')),
              HasSubstr("a tar archive"));
}

TEST(Binary, text_with_a_few_invalid_bytes_is_accepted) {
  const auto folder = made_folder("text");
  std::string text;
  for (int i = 0; i < 2000; ++i) text += i % 40 == 0 ? "A caf\xE9 line.\n" : "Another line of plain text.\n";
  const auto read = read_all({.kind = "lines", .path = write_file(folder / "x.txt", text)});
  EXPECT_EQ(read.documents.size(), 2000U);
  EXPECT_EQ(read.repairs.invalid_bytes, 50);
  std::string latin;
  for (int i = 0; i < 500; ++i)
    latin +=
        "\xC4hnlich \xFC"
        "ber die Stra\xDF"
        "e.\n";
  const auto path = write_file(folder / "latin.txt", latin);
  EXPECT_THAT(message_of({.kind = "lines", .path = path}), HasSubstr("set `corpus.encoding` to"));
  EXPECT_EQ(read_all({.kind = "lines", .path = path, .encoding = "latin-1"}).documents.size(), 500U);
  EXPECT_EQ(read_all({.kind = "books", .path = path}).repairs.invalid_bytes, 0) << "detected";
}

}  // namespace
}  // namespace nystrom
