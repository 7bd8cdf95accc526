// Corpora as a whole, lines and JSON lines.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "corpus_folder.h"
#include "data/corpus/corpus.h"
#include "read_corpus.h"

namespace nystrom {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::made_folder;
using testing::message_of;
using testing::read_all;
using testing::write_file;

TEST(Corpus, unknown_kinds_and_empty_globs_are_refused_by_name) {
  EXPECT_THAT(message_of({.kind = "novels", .path = "x"}), HasSubstr("novels"));
  EXPECT_THAT(message_of({.kind = "books", .path = "/nonexistent/*.txt"}), HasSubstr("/nonexistent/*.txt"));
  EXPECT_THAT(message_of({.kind = "books", .path = "x", .encoding = "ebcdic"}), HasSubstr("ebcdic"));
  EXPECT_THAT(message_of({.kind = "books", .path = "x", .language = "klingon"}), HasSubstr("klingon"));
}

TEST(Corpus, documents_are_counted_by_file) {
  const auto folder = made_folder("two");
  const auto b = write_file(folder / "b.txt", "two\nthree\n"), a = write_file(folder / "a.txt", "abc");
  write_file(folder / "c.txt", "\n");
  const auto read = read_all({.kind = "lines", .path = (folder / "*.txt").string()});
  EXPECT_EQ(read.files, (std::map<std::string, std::int64_t>{{a, 1}, {b, 2}}));
  EXPECT_THAT(read.ids, ElementsAre("a.txt:1", "b.txt:1", "b.txt:2"));
}

TEST(Lines, every_line_end_and_no_empty_line_counts) {
  const auto folder = made_folder("lines");
  const auto read = read_all(
      {.kind = "lines", .path = write_file(folder / "l", "\xEF\xBB\xBFone\r\ntwo\rthree\n\n  \nfour")});
  EXPECT_THAT(read.documents,
              ElementsAre(ElementsAre("one"), ElementsAre("two"), ElementsAre("three"), ElementsAre("four")));
  EXPECT_EQ(read.skipped.documents.at("empty line"), 2);
}

TEST(Lines, bad_bytes_are_replaced_and_counted) {
  const auto folder = made_folder("lines");
  const auto read =
      read_all({.kind = "lines", .path = write_file(folder / "l", std::string("a\0b\xFF\n", 5))});
  EXPECT_THAT(read.documents, ElementsAre(ElementsAre("a\uFFFDb\uFFFD")));
  EXPECT_EQ(read.repairs.nul_bytes, 1);
  EXPECT_EQ(read.repairs.invalid_bytes, 1);
}

TEST(Lines, a_line_of_any_length_is_read_in_parts) {
  const auto folder = made_folder("lines");
  std::string line;
  while (line.size() < 100'000'000) line += "word after word ";
  const auto read = read_all({.kind = "lines", .path = write_file(folder / "l", line + "\nnext\n")});
  ASSERT_EQ(read.documents.size(), 7U);
  EXPECT_EQ(read.ids.back(), "l:2");
  EXPECT_EQ(read.ids[5], "l:1#6");
  std::string joined;
  for (std::size_t i = 0; i + 1 < read.documents.size(); ++i) {
    EXPECT_LE(read.documents[i][0].size(), kMaxDocumentBytes);
    joined += read.documents[i][0];
  }
  EXPECT_TRUE(joined == line);
}

TEST(JsonLines, text_is_taken_from_the_named_field) {
  const auto folder = made_folder("json");
  const auto path =
      write_file(folder / "a.jsonl",
                 "{\"text\": \"one\\ntwo \\u00e9\", \"n\": 1}\r\n\n{\"text\": \"\"}\n{\"text\": \"three\"}");
  const auto read = read_all({.kind = "jsonl", .path = path});
  EXPECT_THAT(read.documents, ElementsAre(ElementsAre("one", "two \u00e9"), ElementsAre("three")));
  EXPECT_EQ(read.skipped.documents.at("empty text"), 1);
  const auto other = read_all(
      {.kind = "jsonl", .path = write_file(folder / "b.jsonl", "{\"body\": \"x\"}\n"), .field = "body"});
  EXPECT_THAT(other.documents, ElementsAre(ElementsAre("x")));
}

TEST(JsonLines, nan_and_lone_surrogates_of_python_are_accepted) {
  const auto folder = made_folder("python");
  const auto path = write_file(folder / "a.jsonl",
                               "{\"text\": \"One.\", \"score\": NaN}\n{\"text\": \"Cut \\ud83d here.\"}\n"
                               "{\"text\": \"Two.\", \"more\": [Infinity, -Infinity]}\n");
  const auto read = read_all({.kind = "jsonl", .path = path});
  EXPECT_THAT(read.documents,
              ElementsAre(ElementsAre("One."), ElementsAre("Cut \uFFFD here."), ElementsAre("Two.")));
  EXPECT_EQ(read.skipped.repairs.invalid_bytes, 2);
  const auto number = write_file(folder / "b.jsonl", "{\"text\": NaN}\n");
  EXPECT_THAT(message_of({.kind = "jsonl", .path = number}),
              HasSubstr("line 1: the member `text` is not a string"));
}

TEST(JsonLines, a_bad_line_is_refused_with_its_number) {
  const auto folder = made_folder("json");
  for (const auto* line : {"{\"text\": 5}", "{\"txt\": \"x\"}", "[1]", "{\"text\": \"x\""}) {
    const auto path = write_file(folder / "a.jsonl", std::string("{\"text\": \"fine\"}\n") + line + "\n");
    EXPECT_THAT(message_of({.kind = "jsonl", .path = path}), HasSubstr("line 2")) << line;
  }
}

TEST(Corpus, a_small_file_takes_little_memory_until_it_is_cleaned) {
  // Thousands of them wait together for a thread that cleans them.
  const auto folder = made_folder("small");
  write_file(folder / "aclImdb/train/pos/0_9.txt", "Good.");
  for (const CorpusSpec& spec : {CorpusSpec{.kind = "imdb", .path = (folder / "aclImdb").string()},
                                 CorpusSpec{.kind = "books", .path = (folder / "aclImdb").string()}}) {
    auto corpus = open_corpus(spec, {list_corpus(spec).files}, {});
    RawDocument raw;
    ASSERT_TRUE(corpus->next(raw));
    EXPECT_LE(raw.text.capacity(), std::size_t{64}) << spec.kind;
  }
}

TEST(Corpus, hidden_files_and_backups_are_skipped) {
  const auto folder = made_folder("hidden");
  for (const char* name : {"a.txt", ".a.txt", "a.txt~", "#a.txt#", ".a.txt.swp", ".git/b.txt", "c/d.txt"}) {
    std::filesystem::create_directories((folder / name).parent_path());
    write_file(folder / name, "The text.\n");
  }
  const auto read = read_all({.kind = "lines", .path = folder.string()});
  EXPECT_EQ(read.documents.size(), 2U);
  EXPECT_EQ(read.skipped.documents.at("hidden or backup file"), 5);
  EXPECT_EQ(read_all({.kind = "lines", .path = (folder / "a.txt*").string()}).documents.size(), 1U);
  EXPECT_EQ(read_all({.kind = "lines", .path = (folder / ".a.txt").string()}).documents.size(), 1U)
      << "the user's own choice";
}

}  // namespace
}  // namespace nystrom
