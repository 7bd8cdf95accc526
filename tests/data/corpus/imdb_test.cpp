// Reviews of IMDB, from a tar archive and from its tree.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "corpus_folder.h"
#include "read_corpus.h"

namespace nystrom {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using testing::gzip;
using ::testing::HasSubstr;
using testing::made_folder;
using testing::message_of;
using ::testing::Not;
using testing::read_all;
using testing::tar_entry;
using testing::write_file;
using testing::xz;

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

TEST(Imdb, a_corrupt_tar_is_refused_by_name_and_offset) {
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
  // Errors of decompression are reported as such.
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

}  // namespace
}  // namespace nystrom
