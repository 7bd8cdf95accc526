// Books: paragraphs, front matter, licences, encodings.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "corpus_folder.h"
#include "read_corpus.h"

namespace nystrom {
namespace {

using ::testing::ElementsAre;
using testing::gzip;
using ::testing::HasSubstr;
using testing::made_folder;
using ::testing::Not;
using testing::Read;
using testing::read_all;
using testing::write_file;

Read read_books(const std::string& content) {
  const auto folder = made_folder("books");
  write_file(folder / "book.txt", content);
  return read_all({.kind = "books", .path = folder.string()});
}

TEST(Books, wrapped_lines_are_joined_and_paragraphs_kept) {
  const auto read = read_books("The first line\r\ngoes on here.\r\n\r\nA well-\r\nknown word.\r\n");
  EXPECT_THAT(read.documents, ElementsAre(ElementsAre("The first line goes on here.", "A well-known word.")));
}

TEST(Books, a_line_end_hyphen_is_removed_if_the_word_occurs_without_it) {
  const auto read = read_books("A morning came.\n\nIn the mor-\nning a well-\nknown man sat.\n\nYes.\n");
  EXPECT_THAT(read.documents,
              ElementsAre(ElementsAre("A morning came.", "In the morning a well-known man sat.", "Yes.")));
  EXPECT_EQ(read.dropped.at("hyphens at line ends"), 1);
}

TEST(Books, page_numbers_and_tables_of_contents_are_removed) {
  const auto read = read_books(
      "CONTENTS\n\nCHAPTER I. The Door  1\nCHAPTER II. The Window  17\n\n"
      "III. The Roof 20\nIV. The Road Home 31\n V. The End 40\n\nCHAPTER I\n\nIt began in 1900.\n\n"
      "[Page 12]\n\nIt went on.\n\n- 13 -\n\nIn 14.\n");
  EXPECT_THAT(read.documents, ElementsAre(ElementsAre("It began in 1900.", "It went on.", "In 14.")));
  EXPECT_EQ(read.dropped.at("headings"), 9);
}

TEST(Books, chapter_headings_are_removed_and_speech_in_capitals_is_kept) {
  const auto read = read_books(
      "CHAPTER IV. The Door\n\nIt opened.\n\nXII\n\nBook the Second\n\nA NIGHT AT SEA\n\n\"STOP!\"\n\n"
      "Part of it was lost.\n\nI.\n\nTHE END\n");
  EXPECT_THAT(read.documents,
              ElementsAre(ElementsAre("It opened.", "\"STOP!\"", "Part of it was lost.", "I.")));
}

TEST(Books, title_pages_are_removed_up_to_the_first_sentences_of_the_text) {
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

TEST(Books, the_licence_around_a_book_is_removed) {
  const auto read = read_books(
      "\xEF\xBB\xBFThe Project Gutenberg EBook of Nothing\n\n*** START OF THIS PROJECT GUTENBERG EBOOK "
      "NOTHING ***\n\n\nProduced by Nobody\n\n\n"
      "The book.\n\nIts end.\n\nEnd of the Project Gutenberg EBook of Nothing\n\n*** END OF THIS PROJECT "
      "GUTENBERG EBOOK NOTHING ***\n\nLicence.\n");
  EXPECT_THAT(read.documents, ElementsAre(ElementsAre("The book.", "Its end.")));
  EXPECT_GT(read.dropped.at("licence"), 200);
}

TEST(Books, a_long_title_in_the_marker_is_removed) {
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

TEST(Books, emphasis_and_ornaments_are_removed) {
  const auto read =
      read_books("It was _very_ late, snake_case.\n\n* * * * *\n\n[Illustration: A door]\n\nEnd.\n");
  EXPECT_THAT(read.documents, ElementsAre(ElementsAre("It was very late, snake_case.", "End.")));
  EXPECT_EQ(read.dropped.at("emphasis marks"), 2);
}

TEST(Books, other_files_of_a_folder_are_ignored_and_empty_ones_counted) {
  const auto folder = made_folder("books");
  write_file(folder / "b.txt", "A book.\n");
  write_file(folder / "c.pdf", "no text");
  write_file(folder / "sub" / "d.txt.gz", gzip("Packed book.\n"));
  write_file(folder / "e.txt", "");
  const auto read = read_all({.kind = "books", .path = folder.string()});
  EXPECT_THAT(read.ids, ElementsAre("b.txt", "d.txt.gz"));
  EXPECT_EQ(read.skipped.documents.at("empty file"), 1);
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

}  // namespace
}  // namespace nystrom
