// Compressed files of a corpus: every format, truncated and corrupt ones, bombs.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "corpus_folder.h"
#include "data/corpus/corpus.h"
#include "made_up_text.h"
#include "read_corpus.h"

namespace nystrom {
namespace {

using testing::bzip2;
using testing::gzip;
using ::testing::HasSubstr;
using testing::made_folder;
using testing::message_of;
using testing::read_all;
using testing::write_file;
using testing::xz;
using testing::zstd;

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

TEST(Corpus, truncated_and_corrupt_files_are_refused_by_name) {
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

TEST(Corpus, a_packed_name_without_packed_data_is_refused) {
  const auto folder = made_folder("wrong");
  const auto path = write_file(folder / "dump.xml.bz2", "<html>404 not found</html>");
  EXPECT_THAT(message_of({.kind = "wikipedia", .path = path}), HasSubstr("does not begin like such a file"));
}

TEST(Corpus, a_decompression_bomb_is_refused) {
  const auto folder = made_folder("bomb");
  const std::string zeros(std::size_t{80} << 20U, ' ');
  int n = 0;
  for (const auto& packed : {gzip(zeros), bzip2(zeros), zstd(zeros)}) {
    const CorpusSpec spec{.kind = "lines", .path = write_file(folder / std::to_string(n++), packed)};
    EXPECT_THAT(message_of(spec, {.expansion_limit = 100}), HasSubstr("cleaning.expansion_limit"));
  }
}

/// bzip2 of level 1: blocks of 100 kB, so that a short text has many.
std::string many_blocks(std::string& text) {
  for (const auto& sentence : testing::made_up_sentences(20000, 3)) text += sentence + "\n";
  return bzip2(text);
}

TEST(Bzip2, a_corrupt_block_is_named_by_its_byte_and_skipped_only_on_request) {
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

TEST(Bzip2, a_truncated_file_is_refused_or_read_to_its_last_intact_block) {
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

}  // namespace
}  // namespace nystrom
