#include "data/shards/shard.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <filesystem>
#include <iterator>

#include "data/shards/shard_reader.h"
#include "shard_corpus.h"

namespace nystrom {
namespace {

using ::testing::HasSubstr;
using namespace nystrom::testing;

std::vector<Document> read_back(const std::string& path) {
  ShardReader reader(path);
  std::vector<Document> documents;
  reader.scan_sentences([&](std::uint64_t document, std::uint64_t, std::uint64_t first, std::uint64_t end) {
    if (document == documents.size()) documents.emplace_back();
    documents.back().emplace_back();
    reader.read_tokens(first, end - first, documents.back().back());
  });
  return documents;
}

TEST(Shard, gives_back_every_sentence_of_every_document) {
  const TemporaryFolder folder;
  const auto documents = make_documents(3000);
  write_shard(folder / "a.h5", documents);
  EXPECT_EQ(read_back(folder / "a.h5"), documents);
  const ShardReader reader(folder / "a.h5");
  EXPECT_EQ(reader.header(), header());
  EXPECT_EQ(reader.counts().documents, 3000);
}

TEST(Shard, keeps_ids_beyond_16_bits_of_a_large_vocabulary) {
  const TemporaryFolder folder;
  const std::vector<Document> documents = {{{5, 65535, 65536, 119546}, {119999}}};
  write_shard(folder / "a.h5", documents, header('a', 120000));
  EXPECT_EQ(read_back(folder / "a.h5"), documents);
}

TEST(Shard, leaves_out_and_reports_empty_documents) {
  const TemporaryFolder folder;
  ShardWriter writer(folder / "a.h5", header());
  EXPECT_FALSE(writer.add_document(0, std::vector<Sentence>{{}, {}}));
  EXPECT_FALSE(writer.add_document(0, {}));
  EXPECT_TRUE(writer.add_document(1, std::vector<Sentence>{{}, {9}, {}}));
  EXPECT_EQ(writer.counts(), (ShardCounts{.documents = 1, .sentences = 1, .tokens = 1}));
  writer.finish();
  EXPECT_EQ(read_back(folder / "a.h5"), (std::vector<Document>{{{9}}}));
}

TEST(Shard, of_equal_documents_is_equal_bytes) {
  const TemporaryFolder folder;
  write_shard(folder / "a.h5", make_documents(4000));
  write_shard(folder / "b.h5", make_documents(4000));
  EXPECT_GT(read_bytes(folder / "a.h5").size(), 500000U);
  EXPECT_TRUE(read_bytes(folder / "a.h5") == read_bytes(folder / "b.h5"));
}

TEST(Shard, that_was_not_finished_leaves_no_file) {
  const TemporaryFolder folder;
  {
    ShardWriter writer(folder / "a.h5", header());
    writer.add_document(0, std::vector<Sentence>{{9}});
    EXPECT_FALSE(std::filesystem::is_empty(folder.path()));
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(Shard, with_an_id_outside_the_vocabulary_is_not_written) {
  const TemporaryFolder folder;
  ShardWriter writer(folder / "a.h5", header());
  EXPECT_THROW(writer.add_document(0, std::vector<Sentence>{{500}}), Error);
}

TEST(Shard, in_a_folder_that_is_not_there_names_the_file) {
  EXPECT_THAT(message_of<Error>([] { ShardWriter("/nowhere/a.h5", header()); }), HasSubstr("/nowhere/a.h5"));
}

TEST(Shard, of_a_newer_version_is_refused) {
  const TemporaryFolder folder;
  {
    auto file = hdf5::File::create(folder / "a.h5");
    file.set_attribute("format", std::string(kShardFormat));
    file.set_attribute("format_version", kShardVersion + 1);
    file.close();
  }
  EXPECT_THAT(message_of<InputError>([&] { ShardReader reader(folder / "a.h5"); }), HasSubstr("version 2"));
}

TEST(Shard, that_is_not_an_hdf5_file_is_refused_by_name) {
  const TemporaryFolder folder;
  write_bytes(folder / "a.h5", "not a shard");
  EXPECT_THAT(message_of<InputError>([&] { (void)shard_kind(folder / "a.h5"); }), HasSubstr("a.h5"));
  EXPECT_THAT(message_of<InputError>([&] { (void)shard_kind(folder / "b.h5"); }), HasSubstr("b.h5"));
}

// Reads the whole shard; returns its documents, or nothing if it was refused.
std::vector<Document> read_or_refuse(const std::string& path, std::string* message) {
  try {
    if (shard_kind(path) != ShardKind::kNystrom) return {};
    return read_back(path);
  } catch (const Error& error) {
    *message = error.what();
    return {};
  }
}

TEST(Shard, with_a_flipped_bit_is_refused_by_name_or_unharmed) {
  const TemporaryFolder folder;
  const auto documents = make_documents(300);
  write_shard(folder / "a.h5", documents);
  const std::string good = read_bytes(folder / "a.h5");
  Random random(3, Purpose::kTest, 0);
  int refused = 0;
  for (int trial = 0; trial < 400; ++trial) {
    std::string bad = good;
    const auto at = static_cast<std::size_t>(random.below(bad.size()));
    bad[at] = static_cast<char>(bad[at] ^ (1 << random.below(8)));
    write_bytes(folder / "b.h5", bad);
    std::string message;
    const auto found = read_or_refuse(folder / "b.h5", &message);
    if (message.empty()) {
      EXPECT_EQ(found, documents) << "byte " << at;
    } else {
      EXPECT_THAT(message, HasSubstr("b.h5")) << "byte " << at;
      ++refused;
    }
  }
  EXPECT_GT(refused, 200);
}

TEST(Shard, truncated_is_refused_by_name) {
  const TemporaryFolder folder;
  write_shard(folder / "a.h5", make_documents(300));
  const std::string good = read_bytes(folder / "a.h5");
  for (std::size_t size = 0; size < good.size(); size += good.size() / 40) {
    write_bytes(folder / "b.h5", good.substr(0, size));
    std::string message;
    EXPECT_TRUE(read_or_refuse(folder / "b.h5", &message).empty());
    EXPECT_THAT(message, HasSubstr("b.h5"));
  }
}

// As on a full disk: no file may grow beyond `bytes` while this object lives.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  void (*handler_)(int);
  rlimit before_{};
};

TEST(Shard, on_a_full_disk_is_an_error_and_keeps_the_old_file) {
  const TemporaryFolder folder;
  const auto documents = make_documents(4000);
  write_shard(folder / "a.h5", {documents[0]});
  const std::string before = read_bytes(folder / "a.h5");
  for (rlim_t limit : {0U, 100U, 3000U, 50000U, 200000U, 400000U}) {
    const FileSizeLimit full(limit);
    EXPECT_THAT(message_of<Error>([&] { write_shard(folder / "a.h5", documents); }), HasSubstr("a.h5"))
        << limit;
  }
  EXPECT_EQ(read_bytes(folder / "a.h5"), before);
  const std::filesystem::directory_iterator left(folder.path());
  EXPECT_EQ(std::distance(begin(left), end(left)), 1);
  write_shard(folder / "a.h5", documents);  // and HDF5 is still in order
  EXPECT_EQ(read_back(folder / "a.h5"), documents);
}

}  // namespace
}  // namespace nystrom
