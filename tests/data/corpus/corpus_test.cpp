#include "data/corpus/corpus.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "corpus_folder.h"
#include "kernels/core/check.h"
#include "made_up_text.h"

namespace nystrom {
namespace {

using ::testing::AllOf;
using testing::bzip2;
using ::testing::ElementsAre;
using testing::gzip;
using ::testing::HasSubstr;
using testing::made_folder;
using ::testing::Not;
using testing::write_file;
using testing::xz;
using testing::zstd;

struct Read {
  std::vector<std::string> ids;
  std::vector<std::vector<std::string>> documents;
  Skipped skipped;
  std::map<std::string, std::int64_t> files;
  std::vector<std::string> damage;
  Repairs repairs;
  Reasons dropped;
};

/// Reads all, and checks on the way that no character is unaccounted for.
Read read_all(const CorpusSpec& spec, const ReadOptions& options = {}) {
  auto listing = list_corpus(spec);
  auto corpus = open_corpus(spec, {listing.files}, options);
  Read read;
  for (RawDocument raw; corpus->next(raw);) {
    read.ids.push_back(raw.id);
    auto result = corpus->extract(raw);
    auto sum = std::accumulate(result.dropped.begin(), result.dropped.end(), std::int64_t{0},
                               [](std::int64_t n, const auto& d) { return n + d.second; });
    for (const auto& paragraph : result.paragraphs) sum += count_characters(paragraph);
    EXPECT_EQ(result.characters, sum) << raw.id;
    for (const auto& [reason, count] : result.dropped) read.dropped[reason] += count;
    read.documents.push_back(std::move(result.paragraphs));
    read.repairs += result.repairs;
  }
  read.skipped = corpus->skipped();
  for (const auto& [reason, count] : listing.skipped.documents) read.skipped.documents[reason] += count;
  read.files = corpus->files().documents();
  read.damage = corpus->files().damage();
  return read;
}

Read read_books(const std::string& content) {
  const auto folder = made_folder("books");
  write_file(folder / "book.txt", content);
  return read_all({.kind = "books", .path = folder.string()});
}

std::string message_of(const CorpusSpec& spec, const ReadOptions& options = {}) {
  try {
    (void)read_all(spec, options);
  } catch (const InputError& error) {
    return error.what();
  }
  return "nothing was refused";
}

TEST(Corpus, unknown_kinds_and_empty_globs_are_refused_by_name) {
  EXPECT_THAT(message_of({.kind = "novels", .path = "x"}), HasSubstr("novels"));
  EXPECT_THAT(message_of({.kind = "books", .path = "/nonexistent/*.txt"}), HasSubstr("/nonexistent/*.txt"));
  EXPECT_THAT(message_of({.kind = "books", .path = "x", .encoding = "ebcdic"}), HasSubstr("ebcdic"));
  EXPECT_THAT(message_of({.kind = "books", .path = "x", .language = "klingon"}), HasSubstr("klingon"));
}

TEST(Corpus, every_compression_gives_the_same_lines) {
  std::string text;
  for (const auto& sentence : testing::made_up_sentences(20000, 3)) text += sentence + "\n";
  const std::string half = text.substr(0, text.size() / 2), rest = text.substr(text.size() / 2);
  const auto folder = made_folder("packed");
  const auto plain = read_all({.kind = "lines", .path = write_file(folder / "a.txt", text)});
  ASSERT_EQ(plain.documents.size(), 20000U);
  int n = 0;
  for (const auto& packed :
       {gzip(text), bzip2(text), xz(text), zstd(text), gzip(half) + gzip(rest), bzip2(half) + bzip2(rest),
        xz(half) + xz(rest), zstd(half) + zstd(rest), gzip(text) + std::string(512, '\0')}) {
    const auto read = read_all({.kind = "lines", .path = write_file(folder / std::to_string(n), packed)});
    EXPECT_EQ(read.documents, plain.documents) << "form " << n;
    ++n;
  }
}

TEST(Corpus, truncated_and_damaged_files_are_refused_by_name) {
  std::string text;
  for (const auto& sentence : testing::made_up_sentences(5000, 3)) text += sentence + "\n";
  const auto folder = made_folder("broken");
  int n = 0;
  for (auto packed : {gzip(text), bzip2(text), xz(text), zstd(text)}) {
    const auto cut = write_file(folder / ("cut" + std::to_string(n)), packed.substr(0, packed.size() - 9));
    EXPECT_THAT(message_of({.kind = "lines", .path = cut}), HasSubstr(cut)) << n;
    for (std::size_t i = packed.size() / 2; i < packed.size() / 2 + 8; ++i)
      packed[i] = static_cast<char>(packed[i] ^ 0x55);
    const auto bad = write_file(folder / ("bad" + std::to_string(n)), packed);
    // Zstandard's checksum is optional
    if (n != 3) {
      EXPECT_THAT(message_of({.kind = "lines", .path = bad}), HasSubstr(bad)) << n;
    }
    ++n;
  }
}

TEST(Corpus, documents_are_counted_by_file) {
  const auto folder = made_folder("two");
  const auto b = write_file(folder / "b.txt", "two\nthree\n"), a = write_file(folder / "a.txt", "abc");
  write_file(folder / "c.txt", "\n");
  const auto read = read_all({.kind = "lines", .path = (folder / "*.txt").string()});
  EXPECT_EQ(read.files, (std::map<std::string, std::int64_t>{{a, 1}, {b, 2}}));
  EXPECT_THAT(read.ids, ElementsAre("a.txt:1", "b.txt:1", "b.txt:2"));
}

/// bzip2 of level 1: blocks of 100 kB, so that a short text has many.
std::string many_blocks(std::string& text) {
  for (const auto& sentence : testing::made_up_sentences(20000, 3)) text += sentence + "\n";
  return bzip2(text);
}

TEST(Bzip2, a_damaged_block_is_named_by_its_byte_and_skipped_only_when_asked) {
  std::string text;
  auto packed = many_blocks(text);
  const auto folder = made_folder("damaged");
  const auto whole = read_all({.kind = "lines", .path = write_file(folder / "whole", packed)});
  for (std::size_t i = packed.size() / 2; i < packed.size() / 2 + 8; ++i)
    packed[i] = static_cast<char>(packed[i] ^ 0x55);
  const CorpusSpec spec{.kind = "lines", .path = write_file(folder / "bad", packed)};
  EXPECT_THAT(message_of(spec), HasSubstr("bzip2 block at byte "));
  const auto read = read_all(spec, {.skip_damaged = true});
  ASSERT_EQ(read.damage.size(), 1U);
  EXPECT_THAT(read.damage[0], HasSubstr("block at byte "));
  EXPECT_EQ(read.skipped.documents.at("line in damaged data"), 2);
  // A block of 100 kB is gone, no more; and what is there is of the text.
  EXPECT_GT(read.documents.size(), whole.documents.size() * 8 / 10);
  EXPECT_LT(read.documents.size(), whole.documents.size());
  EXPECT_EQ(read.documents.back(), whole.documents.back());
}

TEST(Bzip2, a_truncated_file_is_refused_or_gives_what_is_whole) {
  std::string text;
  const auto packed = many_blocks(text);
  const auto folder = made_folder("cut");
  const CorpusSpec spec{.kind = "lines",
                        .path = write_file(folder / "cut", packed.substr(0, packed.size() / 2))};
  EXPECT_THAT(message_of(spec), HasSubstr("truncated"));
  const auto read = read_all(spec, {.skip_damaged = true});
  EXPECT_GT(read.documents.size(), 5000U);
  EXPECT_EQ(read.damage.size(), 1U);
}

TEST(Corpus, a_packed_name_without_packed_data_is_refused) {
  const auto folder = made_folder("wrong");
  const auto path = write_file(folder / "dump.xml.bz2", "<html>404 not found</html>");
  EXPECT_THAT(message_of({.kind = "wikipedia", .path = path}), HasSubstr("does not begin like such a file"));
}

TEST(Corpus, a_file_that_unpacks_to_too_much_is_refused) {
  const auto folder = made_folder("bomb");
  const std::string zeros(std::size_t{80} << 20U, ' ');
  int n = 0;
  for (const auto& packed : {gzip(zeros), bzip2(zeros), zstd(zeros)}) {
    const CorpusSpec spec{.kind = "lines", .path = write_file(folder / std::to_string(n++), packed)};
    EXPECT_THAT(message_of(spec, {.expansion_limit = 100}), HasSubstr("cleaning.expansion_limit"));
  }
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
    EXPECT_LE(read.documents[i][0].size(), kLongestDocument);
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

TEST(JsonLines, numbers_and_half_pairs_as_python_writes_them_are_no_damage) {
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

TEST(Books, wrapped_lines_are_joined_and_paragraphs_kept) {
  const auto read = read_books("The first line\r\ngoes on here.\r\n\r\nA well-\r\nknown word.\r\n");
  EXPECT_THAT(read.documents, ElementsAre(ElementsAre("The first line goes on here.", "A well-known word.")));
}

TEST(Books, a_hyphen_at_a_line_end_goes_where_the_word_is_known_without) {
  const auto read = read_books("A morning came.\n\nIn the mor-\nning a well-\nknown man sat.\n\nYes.\n");
  EXPECT_THAT(read.documents,
              ElementsAre(ElementsAre("A morning came.", "In the morning a well-known man sat.", "Yes.")));
  EXPECT_EQ(read.dropped.at("hyphens at line ends"), 1);
}

TEST(Books, page_numbers_and_tables_of_contents_go) {
  const auto read = read_books(
      "CONTENTS\n\nCHAPTER I. The Door  1\nCHAPTER II. The Window  17\n\n"
      "III. The Roof 20\nIV. The Road Home 31\n V. The End 40\n\nCHAPTER I\n\nIt began in 1900.\n\n"
      "[Page 12]\n\nIt went on.\n\n- 13 -\n\nIn 14.\n");
  EXPECT_THAT(read.documents, ElementsAre(ElementsAre("It began in 1900.", "It went on.", "In 14.")));
  EXPECT_EQ(read.dropped.at("headings"), 9);
}

TEST(Books, headings_of_chapters_go_and_what_is_said_in_capitals_stays) {
  const auto read = read_books(
      "CHAPTER IV. The Door\n\nIt opened.\n\nXII\n\nBook the Second\n\nA NIGHT AT SEA\n\n\"STOP!\"\n\n"
      "Part of it was lost.\n\nI.\n\nTHE END\n");
  EXPECT_THAT(read.documents,
              ElementsAre(ElementsAre("It opened.", "\"STOP!\"", "Part of it was lost.", "I.")));
}

TEST(Books, title_pages_go_up_to_the_first_sentences_of_the_text) {
  std::string text =
      "The Door\n\nby Nobody At All\n\nTo my friends, who never asked for a book about one.\n\n";
  const std::string first =
      "It was late when he came to the door of which we speak, and nobody was there to open it.";
  text += first + "\n\n";
  for (int i = 0; i < 400; ++i)
    text += "He knocked again, waited for a while and went to look for a window.\n\n";
  const auto read = read_books(text);
  ASSERT_EQ(read.documents.size(), 1U);
  EXPECT_EQ(read.documents[0].front(), first);
  EXPECT_EQ(read.documents[0].size(), 401U);
  EXPECT_EQ(read.dropped.at("front matter"), 8 + 16 + 52);
}

TEST(Books, lines_without_blank_lines_between_are_paragraphs) {
  const auto read = read_books("One sentence.\nAnother sentence.\n");
  EXPECT_THAT(read.documents, ElementsAre(ElementsAre("One sentence.", "Another sentence.")));
}

TEST(Books, the_licence_around_a_book_goes) {
  const auto read = read_books(
      "\xEF\xBB\xBFThe Project Gutenberg EBook of Nothing\n\n*** START OF THIS PROJECT GUTENBERG EBOOK "
      "NOTHING ***\n\n\nProduced by Nobody\n\n\n"
      "The book.\n\nIts end.\n\nEnd of the Project Gutenberg EBook of Nothing\n\n*** END OF THIS PROJECT "
      "GUTENBERG EBOOK NOTHING ***\n\nLicence.\n");
  EXPECT_THAT(read.documents, ElementsAre(ElementsAre("The book.", "Its end.")));
  EXPECT_GT(read.dropped.at("licence"), 200);
}

TEST(Books, a_long_title_in_the_marker_goes_too) {
  const auto read = read_books(
      "x\n***START OF THE PROJECT GUTENBERG EBOOK A VERY\nLONG TITLE***\n\nThe book.\n\n***END OF THE "
      "PROJECT GUTENBERG EBOOK A***\nx\n");
  EXPECT_THAT(read.documents, ElementsAre(ElementsAre("The book.")));
}

TEST(Books, encodings_are_detected) {
  EXPECT_THAT(read_books("Caf\xE9 na\xEFve.\n").documents, ElementsAre(ElementsAre("Caf\u00e9 na\u00efve.")));
  EXPECT_THAT(read_books(std::string("\xFF\xFEH\0i\0", 6)).documents, ElementsAre(ElementsAre("Hi")));
  const auto read = read_books(std::string("good \xFF\xFE\0 text\n", 14));
  EXPECT_EQ(read.repairs.invalid_bytes, 2);
  EXPECT_EQ(read.repairs.nul_bytes, 1);
}

TEST(Books, emphasis_and_ornaments_go) {
  const auto read =
      read_books("It was _very_ late, snake_case.\n\n* * * * *\n\n[Illustration: A door]\n\nEnd.\n");
  EXPECT_THAT(read.documents, ElementsAre(ElementsAre("It was very late, snake_case.", "End.")));
  EXPECT_EQ(read.dropped.at("emphasis marks"), 2);
}

TEST(Books, other_files_of_a_folder_are_left_alone_and_empty_ones_named) {
  const auto folder = made_folder("books");
  write_file(folder / "b.txt", "A book.\n");
  write_file(folder / "c.pdf", "no text");
  write_file(folder / "sub" / "d.txt.gz", gzip("Packed book.\n"));
  write_file(folder / "e.txt", "");
  const auto read = read_all({.kind = "books", .path = folder.string()});
  EXPECT_THAT(read.ids, ElementsAre("b.txt", "d.txt.gz"));
  EXPECT_EQ(read.skipped.documents.at("empty file"), 1);
}

std::string tar_entry(const std::string& name, const std::string& content, char type = '0') {
  std::string header(512, '\0');
  const auto put = [&header](std::size_t at, const std::string& text) {
    header.replace(at, text.size(), text);
  };
  put(0, name.substr(0, 100));
  put(124, fmt::format("{:011o}", content.size()));
  put(156, std::string(1, type));
  put(257, std::string("ustar\00000", 8));
  put(148, "        ");
  int sum = 0;
  for (const char c : header) sum += static_cast<unsigned char>(c);
  put(148, fmt::format("{:06o}", sum) + std::string("\0 ", 2));
  return header + content + std::string((512 - content.size() % 512) % 512, '\0');
}

TEST(Imdb, only_training_reviews_become_documents) {
  const std::string longest = "aclImdb/" + std::string(120, 'd') + "/train/unsup/9_0.txt";
  const std::string tar =
      tar_entry("aclImdb/README", "read me") + tar_entry("aclImdb/train/pos/", "", '5') +
      tar_entry("aclImdb/train/pos/0_9.txt", "Good.<br /><br />Very <i>good</i> &amp; short.") +
      tar_entry("aclImdb/test/pos/0_9.txt", "Unseen.") + tar_entry("././@LongLink", longest + '\0', 'L') +
      tar_entry(longest.substr(0, 100), "No label.") + std::string(1024, '\0');
  const auto folder = made_folder("imdb");
  for (const auto& packed : {tar, xz(tar), gzip(tar)}) {
    const auto read = read_all({.kind = "imdb", .path = write_file(folder / "aclImdb.tar", packed)});
    EXPECT_THAT(read.documents,
                ElementsAre(ElementsAre("Good.", "Very good & short."), ElementsAre("No label.")));
    EXPECT_EQ(read.skipped.documents.at("test review"), 1);
    EXPECT_EQ(read.skipped.documents.at("no review"), 1);
  }
}

TEST(Imdb, a_damaged_tar_is_refused_by_name_and_place) {
  const auto folder = made_folder("imdb-damaged");
  const std::string review = tar_entry("aclImdb/train/pos/0_9.txt", std::string(700, 'a')),
                    tar = review + tar_entry("aclImdb/README", "read me") + std::string(1024, '\0');
  const auto message = [&](const std::string& bytes) {
    return message_of({.kind = "imdb", .path = write_file(folder / "bad.tar", bytes)});
  };
  // In a header, in a file that is read, in one that is skipped.
  for (const std::size_t size : {review.size() + 100, std::size_t{600}, review.size() + 515})
    EXPECT_THAT(message(tar.substr(0, size)), AllOf(HasSubstr("bad.tar"), HasSubstr("corrupt near byte")))
        << size;
  std::string other = tar;
  other[review.size() + 3] = 'X';  // the second header, whose checksum is then wrong
  EXPECT_THAT(message(other),
              AllOf(HasSubstr("bad.tar"), HasSubstr("in or after aclImdb/train/pos/0_9.txt")));
  EXPECT_THAT(message("<html>no archive</html>" + std::string(2000, ' ')), HasSubstr("bad.tar"));
  // What the compression finds is said in its own words.
  const std::string packed = gzip(tar);
  EXPECT_THAT(message(packed.substr(0, packed.size() - 12)),
              AllOf(HasSubstr("bad.tar"), Not(HasSubstr("tar archive"))));
}

TEST(Imdb, only_regular_files_of_a_tar_are_read) {
  const auto folder = made_folder("imdb-links");
  const auto path =
      write_file(folder / "links.tar",
                 tar_entry("train/pos/0_9.txt", "One.") + tar_entry("train/pos/1_9.txt", "", '1') +
                     tar_entry("train/pos/2_9.txt", "", '2') + tar_entry("train/pos/3_9.txt", "", '6') +
                     tar_entry("train/neg/4_1.txt", "Two."));
  EXPECT_THAT(read_all({.kind = "imdb", .path = path}).documents,
              ElementsAre(ElementsAre("One."), ElementsAre("Two.")));
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

TEST(Imdb, the_tree_gives_the_same_as_its_tar) {
  const auto folder = made_folder("tree");
  write_file(folder / "aclImdb/train/neg/1_2.txt", "Bad.");
  write_file(folder / "aclImdb/train/pos/0_9.txt", "Good.");
  write_file(folder / "aclImdb/train/labeledBow.feat", "0:1");
  write_file(folder / "aclImdb/test/pos/0_9.txt", "Unseen.");
  const auto read = read_all({.kind = "imdb", .path = (folder / "aclImdb").string()});
  EXPECT_THAT(read.documents, ElementsAre(ElementsAre("Bad."), ElementsAre("Good.")));
  EXPECT_EQ(read.skipped.documents.at("test review"), 1);
  EXPECT_THAT(message_of({.kind = "imdb", .path = (folder / "aclImdb/test").string()}),
              HasSubstr("train/pos"));
}

TEST(SharedData, every_novel_gives_a_book_without_licence) {
  const auto books = testing::shared_data("books");
  if (books.empty()) GTEST_SKIP() << "the shared novels are not on this machine";
  const auto read = read_all({.kind = "books", .path = books.string()});
  ASSERT_EQ(read.documents.size(), 8U);
  EXPECT_EQ(read.repairs.invalid_bytes + read.repairs.nul_bytes, 0);
  for (const auto& book : read.documents) {
    EXPECT_GT(book.size(), 1000U);
    for (const auto& paragraph : book) EXPECT_THAT(paragraph, Not(HasSubstr("Project Gutenberg")));
  }
}

/// `text`, which is ASCII but for U+0A0A and U+1F600, as UTF-16.
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

TEST(Utf16, is_decoded_before_lines_are_told_apart) {
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

TEST(Corpus, hidden_files_and_backups_are_no_documents) {
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

TEST(Binary, files_that_are_no_text_are_refused_by_what_they_are) {
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

TEST(Binary, text_with_a_few_bad_bytes_is_none) {
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
