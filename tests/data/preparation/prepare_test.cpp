#include "data/preparation/prepare.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <map>
#include <nlohmann/json.hpp>

#include "data/preparation/blocks/document_split.h"
#include "data/tokenizer/sample.h"
#include "kernels/core/sha256.h"
#include "preparing.h"

namespace nystrom {
namespace {

namespace fs = std::filesystem;
using testing::contents;
using testing::differences;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::made_folder;
using testing::made_up_lines;
using testing::manifest;
using testing::message_of;
using testing::small_options;
using testing::write_file;

TEST(Prepare, writes_shards_tokenizer_and_a_manifest_that_adds_up) {
  const auto options = small_options(made_folder("prepare"));
  const auto report = prepare(options);
  EXPECT_FALSE(report.already_done);
  EXPECT_EQ(report.train.documents + report.validation.documents + report.test.documents, 601);
  EXPECT_GT(report.validation.documents, 5);
  EXPECT_GT(report.test.documents, 2);
  EXPECT_GT(report.train.shards, 1);
  const auto json = manifest(options);
  EXPECT_EQ(json["splits"]["train"]["tokens"], report.train.tokens);
  std::int64_t tokens = 0, sentences = 0;
  for (const auto& source : json["sources"]) {
    tokens += source["tokens"].get<std::int64_t>();
    sentences += source["sentences"].get<std::int64_t>();
    std::int64_t sum = source["characters"]["kept"];
    for (const auto& [reason, count] : source["characters"]["dropped"].items())
      sum += count.get<std::int64_t>();
    EXPECT_EQ(sum, source["characters"]["in"]);
  }
  EXPECT_EQ(tokens, report.train.tokens + report.validation.tokens + report.test.tokens);
  EXPECT_EQ(sentences, report.train.sentences + report.validation.sentences + report.test.sentences);
  const auto files = contents(options.directory);
  std::size_t shards = 0;
  for (const auto* split : {"train", "validation", "test"}) {
    for (const auto& shard : json["splits"][split]["shards"]) {
      const auto name = std::string(split) + "/" + shard["file"].get<std::string>();
      ASSERT_TRUE(files.contains(name)) << name;
      EXPECT_EQ(sha256_hex(files.at(name)), shard["sha256"].get<std::string>());
      ++shards;
    }
  }
  EXPECT_EQ(files.size(), shards + 3) << "nothing else is left in the directory";
  const auto tokenizer = Tokenizer::read((fs::path(options.directory) / "tokenizer.model").string());
  EXPECT_EQ(json["tokenizer"]["sha256"], tokenizer.sha256());
}

TEST(Prepare, bytes_depend_neither_on_threads_nor_on_the_directory) {
  const auto folder = made_folder("prepare");
  auto options = small_options(folder);
  (void)prepare(options);
  const auto first = contents(options.directory);
  options.directory = (folder / "again").string();
  options.threads = 1;
  (void)prepare(options);
  EXPECT_THAT(differences(contents(options.directory), first), IsEmpty());
}

TEST(Prepare, the_same_command_on_a_complete_directory_does_nothing) {
  const auto options = small_options(made_folder("prepare"));
  const auto first = prepare(options);
  const auto before = contents(options.directory);
  const auto second = prepare(options);
  EXPECT_TRUE(second.already_done);
  EXPECT_EQ(second.train.tokens, first.train.tokens);
  EXPECT_EQ(second.vocabulary_size, first.vocabulary_size);
  EXPECT_THAT(differences(contents(options.directory), before), IsEmpty());
}

TEST(Prepare, another_preparation_is_not_overwritten_and_differences_are_named) {
  auto options = small_options(made_folder("prepare"));
  (void)prepare(options);
  const auto before = contents(options.directory);
  options.tokenizer.training.vocabulary_size = 91;
  EXPECT_THAT(message_of(options), HasSubstr("tokenizer.vocabulary_size is 90 there and 91 here"));
  EXPECT_THAT(differences(contents(options.directory), before), IsEmpty());
}

TEST(Prepare, foreign_files_are_not_overwritten) {
  const auto options = small_options(made_folder("prepare"));
  write_file(fs::path(options.directory) / "train" / "00000.h5", "somebody's");
  EXPECT_THAT(message_of(options), HasSubstr("train"));
  EXPECT_EQ(contents(options.directory).size(), 1U);
}

TEST(Prepare, a_missing_shard_of_a_complete_directory_is_named) {
  const auto options = small_options(made_folder("prepare"));
  (void)prepare(options);
  fs::remove(fs::path(options.directory) / "train" / "00000.h5");
  EXPECT_THAT(message_of(options), HasSubstr("train/00000.h5"));
}

TEST(Prepare, a_source_without_a_document_is_an_error_that_names_it) {
  auto options = small_options(made_folder("prepare"));
  const auto empty = write_file(fs::path(options.directory).parent_path() / "empty.txt", "\n\n");
  options.corpora.push_back({.kind = "lines", .path = empty});
  EXPECT_THAT(message_of(options), HasSubstr(empty));
  EXPECT_FALSE(fs::exists(fs::path(options.directory) / "manifest.json"));
  EXPECT_FALSE(fs::exists(fs::path(options.directory) / ".preparing"));
  options.corpora.back().path = "/nonexistent/*.txt";
  EXPECT_THAT(message_of(options), HasSubstr("/nonexistent/*.txt"));
}

TEST(Prepare, a_given_tokenizer_is_used_as_it_is) {
  const auto folder = made_folder("prepare");
  auto options = small_options(folder);
  (void)prepare(options);
  const auto model = testing::read_file(fs::path(options.directory) / "tokenizer.model");
  options.tokenizer.path = write_file(folder / "given.model", model);
  options.directory = (folder / "with-given").string();
  const auto report = prepare(options);
  EXPECT_EQ(report.tokenizer_sha256, sha256_hex(model));
  const auto a = contents(folder / "out"), b = contents(options.directory);
  EXPECT_TRUE(a.at("train/00000.h5") == b.at("train/00000.h5"));
}

TEST(Prepare, few_documents_still_give_a_validation_document) {
  auto options = small_options(made_folder("prepare"));
  options.corpora = {
      {.kind = "lines",
       .path = write_file(fs::path(options.directory).parent_path() / "few", made_up_lines(3, 5))}};
  options.validation_fraction = 0.001;
  options.test_fraction = 0;
  const auto report = prepare(options);
  EXPECT_EQ(report.validation.documents, 1);
  EXPECT_EQ(report.train.documents, 2);
}

TEST(Prepare, invalid_bytes_are_counted_and_reported) {
  auto options = small_options(made_folder("prepare"));
  options.corpora = {
      {.kind = "lines",
       .path = write_file(fs::path(options.directory).parent_path() / "bad",
                          made_up_lines(30, 5) + "with \xFF and \xC0\n" + std::string("a\0b\n", 4))}};
  const auto report = prepare(options);
  EXPECT_THAT(report.warnings, ::testing::Contains(HasSubstr("3 bytes")));
  EXPECT_EQ(manifest(options)["sources"][0]["replaced"]["nul_bytes"], 1);
}

TEST(Prepare, options_that_cannot_be_are_refused) {
  const auto options = small_options(made_folder("prepare"));
  auto bad = options;
  bad.corpora.clear();
  EXPECT_THAT(message_of(bad), HasSubstr("corpus"));
  bad = options;
  bad.validation_fraction = 1.5;
  EXPECT_THAT(message_of(bad), HasSubstr("validation_fraction"));
  bad = options;
  bad.directory = write_file(fs::path(options.directory).parent_path() / "file", "x");
  EXPECT_THAT(message_of(bad), HasSubstr("output.directory"));
  bad = options;
  bad.tokenizer.path = "/nonexistent.model";
  EXPECT_THAT(message_of(bad), HasSubstr("/nonexistent.model"));
  EXPECT_FALSE(fs::exists(fs::path(options.directory) / ".preparing"));
}

TEST(Prepare, a_directory_without_write_permission_is_refused) {
  if (::geteuid() == 0) GTEST_SKIP() << "root may write everywhere";
  const auto options = small_options(made_folder("prepare"));
  fs::create_directories(options.directory);
  ::chmod(options.directory.c_str(), 0500);
  EXPECT_THAT(message_of(options), HasSubstr(options.directory));
  ::chmod(options.directory.c_str(), 0700);
}

TEST(Prepare, a_disk_that_fills_up_ends_it_with_a_sentence_and_leaves_nothing) {
  const auto options = small_options(made_folder("prepare"));
  // A limit on the size of files stands in for the disk.
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit small = before;
  small.rlim_cur = 4096;
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const auto message = message_of(options);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, handler);
  EXPECT_THAT(message, HasSubstr(options.directory));
  EXPECT_FALSE(fs::exists(fs::path(options.directory) / "manifest.json"));
  EXPECT_GT(prepare(options).train.tokens, 0) << "with free space again it continues";
}

TEST(Split, of_a_document_does_not_depend_on_other_documents) {
  int validation = 0, test = 0;
  for (std::uint64_t i = 0; i < 3000; ++i) {
    Random random(i, Purpose::kTest, 0);
    const auto side = split_of(random.next_u64(), 0.1, 0.2);
    validation += side == Split::kValidation ? 1 : 0;
    test += side == Split::kTest ? 1 : 0;
  }
  EXPECT_NEAR(validation, 300, 60);
  EXPECT_NEAR(test, 600, 80);
}

TEST(Split, empty_sides_get_the_smallest_hashes_and_training_keeps_one) {
  using Moves = std::vector<std::pair<int, Split>>;
  EmptySides<int> three(0.001, 0.001), one(0.001, 0), full(0.001, 0);
  for (const int i : {1, 0, 2}) three.add(Split::kTrain, 100 - static_cast<std::uint64_t>(i), i);
  EXPECT_EQ(three.moves(), (Moves{{2, Split::kValidation}, {1, Split::kTest}}));
  one.add(Split::kTrain, 5, 7);
  EXPECT_EQ(one.moves(), Moves{});
  full.add(Split::kTrain, 5, 7);
  full.add(Split::kTrain, 6, 8);
  full.add(Split::kValidation, 1, 9);
  EXPECT_EQ(full.moves(), Moves{});
}

TEST(TextSample, keeps_an_even_share_that_no_order_changes) {
  auto sentences = testing::made_up_sentences(5000, 4);
  TextSample forward(50000, 1), backward(50000, 1);
  for (const auto& sentence : sentences) forward.add(&sentence, &sentence + 1);
  std::reverse(sentences.begin(), sentences.end());
  for (const auto& sentence : sentences) backward.add(&sentence, &sentence + 1);
  const auto a = forward.take();
  EXPECT_EQ(a, backward.take());
  std::size_t bytes = 0;
  for (const auto& sentence : a) bytes += sentence.size() + 1;
  EXPECT_LE(bytes, 50000U);
  EXPECT_GT(bytes, 49000U);
}

TEST(SharedData, a_preparation_of_everything_small_is_complete) {
  const auto books = testing::shared_data("books"), wiki = testing::shared_data("wiki");
  if (books.empty() || wiki.empty()) GTEST_SKIP() << "the shared texts are not on this machine";
  PrepareOptions options;
  options.corpora = {{.kind = "wikipedia", .path = (wiki / "*table*.xml.bz2").string()},
                     {.kind = "books", .path = (books / "*.txt").string()}};
  options.tokenizer.training.vocabulary_size = 4000;
  options.tokenizer.sample_bytes = 1 << 20;
  options.directory = (made_folder("prepare") / "out").string();
  const auto report = prepare(options);
  EXPECT_GT(report.train.tokens + report.validation.tokens, 1500000);
  EXPECT_EQ(report.validation.documents, 1);
  EXPECT_EQ(report.vocabulary_size, 4000);
}

}  // namespace
}  // namespace nystrom
