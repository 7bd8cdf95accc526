// NVIDIA's BERT shards: made here with other integer widths and damages, and the golden ones where they are.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>

#include "data/pretraining/bert_samples.h"
#include "data/shards/inspect.h"
#include "shard_corpus.h"

namespace nystrom {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using namespace nystrom::testing;

// Two rows of width 6, at most 3 masked; `change` may spoil them.
struct Rows {
  std::vector<std::int64_t> input_ids = {10, 11, 4, 13, 14, 15, 10, 21, 22, 0, 0, 0};
  std::vector<std::int64_t> input_mask = {1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0};
  std::vector<std::int64_t> segment_ids = {0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0};
  std::vector<std::int64_t> positions = {4, 2, 0, 1, 0, 0};
  std::vector<std::int64_t> labels = {44, 42, 0, 71, 0, 0};
  std::vector<std::int64_t> next_sentence = {0, 1};
};

void write_bert(const std::string& path, const Rows& rows = {}, hdf5::Type type = hdf5::Type::kI32) {
  auto file = hdf5::File::create(path);
  const auto put = [&](const char* name, const std::vector<std::int64_t>& values, bool vector = false) {
    const hdf5::Shape shape = vector ? hdf5::Shape{2} : hdf5::Shape{2, values.size() / 2};
    file.create_dataset(name, type, shape, {}).write_rows<std::int64_t>(0, 2, values);
  };
  put("input_ids", rows.input_ids);
  put("input_mask", rows.input_mask);
  put("segment_ids", rows.segment_ids);
  put("masked_lm_positions", rows.positions);
  put("masked_lm_ids", rows.labels);
  put("next_sentence_labels", rows.next_sentence, true);
  file.close();
}

LoaderOptions bert_options(const std::string& path, std::int64_t length = 6) {
  LoaderOptions options = loader_options({path}, length);
  options.shuffle = false;
  options.global_batch = 2;
  options.micro_batch = 2;
  return options;
}

TEST(BertShard, is_read_without_padding_for_any_integer_type) {
  const TemporaryFolder folder;
  for (hdf5::Type type : {hdf5::Type::kI8, hdf5::Type::kU16, hdf5::Type::kI32, hdf5::Type::kI64}) {
    const std::string path = folder / fmt::format("a{}", static_cast<int>(type));
    write_bert(path, {}, type);
    Loader loader(bert_options(path));
    const StepBatch step = loader.next();
    ASSERT_EQ(step.micro_batches.size(), 1U);
    const HostBatch& batch = step.micro_batches[0];
    EXPECT_THAT(batch.input_ids, ElementsAre(10, 11, 4, 13, 14, 15, 10, 21, 22));
    EXPECT_THAT(batch.token_type_ids, ElementsAre(0, 0, 0, 1, 1, 1, 0, 0, 0));
    EXPECT_THAT(batch.offsets, ElementsAre(0, 6, 9));
    EXPECT_THAT(batch.label_rows, ElementsAre(2, 4, 7));  // ascending, with the labels that belong to them
    EXPECT_THAT(batch.token_labels, ElementsAre(42, 44, 71));
    EXPECT_THAT(batch.sequence_labels, ElementsAre(0, 1));
    EXPECT_EQ(loader.tokens_per_epoch(), 9);
    EXPECT_EQ(loader.header(), nullptr);
  }
}

TEST(BertShard, warns_that_its_labels_are_not_swaps_unless_they_are_unused) {
  const TemporaryFolder folder;
  write_bert(folder / "a");
  LoaderOptions options = bert_options(folder / "a");
  EXPECT_THAT(Loader(options).warnings(), ElementsAre(HasSubstr("next")));
  options.samples.pairs = false;
  Loader loader(options);
  EXPECT_TRUE(loader.warnings().empty());
  EXPECT_THAT(loader.next().micro_batches.at(0).sequence_labels, ElementsAre(-1, -1));
}

TEST(BertShard, may_be_wider_than_the_sequence_length_if_its_sequences_are_not_longer) {
  const TemporaryFolder folder;
  write_bert(folder / "a");
  EXPECT_THAT(message_of<InputError>([&] { Loader loader(bert_options(folder / "a", 5)); }),
              HasSubstr("row 0"));
  Rows rows;
  rows.input_mask[5] = 0;
  write_bert(folder / "b", rows);
  EXPECT_EQ(Loader(bert_options(folder / "b", 5)).tokens_per_epoch(), 8);
}

TEST(BertShard, with_impossible_rows_is_refused_by_file_and_row) {
  const TemporaryFolder folder;
  int number = 0;
  const auto refused = [&](const Rows& rows) {
    const std::string path = folder / fmt::format("bad{}", number++);
    write_bert(path, rows);
    const auto message = message_of<InputError>([&] { Loader loader(bert_options(path)); });
    EXPECT_THAT(message, HasSubstr(path));
    return message;
  };
  Rows hole, empty, outside, twice, id, label, type, next;
  hole.input_mask[1] = 0;
  EXPECT_THAT(refused(hole), HasSubstr("row 0"));
  for (std::size_t i = 6; i < 12; ++i) empty.input_mask[i] = 0;
  EXPECT_THAT(refused(empty), HasSubstr("row 1"));
  outside.positions[3] = 3;
  EXPECT_THAT(refused(outside), HasSubstr("masked_lm_positions"));
  twice.positions[1] = 4;
  EXPECT_THAT(refused(twice), HasSubstr("masked_lm_positions"));
  id.input_ids[3] = kVocabulary;
  EXPECT_THAT(refused(id), HasSubstr("input_ids"));
  label.labels[0] = -3;
  EXPECT_THAT(refused(label), HasSubstr("masked_lm_ids"));
  type.segment_ids[3] = 2;
  EXPECT_THAT(refused(type), HasSubstr("segment_ids"));
  next.next_sentence[1] = 2;
  EXPECT_THAT(refused(next), HasSubstr("next_sentence_labels"));
}

TEST(BertShard, is_not_mixed_with_ours) {
  const TemporaryFolder folder;
  write_bert(folder / "a");
  write_shard(folder / "b", make_documents(3));
  LoaderOptions options = bert_options(folder / "a");
  options.samples.shards.push_back(folder / "b");
  const auto message = message_of<InputError>([&] { Loader loader(options); });
  EXPECT_THAT(message, HasSubstr(folder / "a"));
  EXPECT_THAT(message, HasSubstr(folder / "b"));
}

TEST(BertShard, reproduces_the_twenty_steps_of_the_golden_trajectory) {
  const char* shared = std::getenv("NYSTROM_SHARED");
  const std::filesystem::path golden =
      std::filesystem::path(shared != nullptr ? shared : "../shared") / "golden" / "trajectory" / "shards";
  if (!std::filesystem::exists(golden)) GTEST_SKIP() << golden << " is not there";
  LoaderOptions options = bert_options(golden / "shard-0.hdf5", 48);
  options.samples.shards.push_back(golden / "shard-1.hdf5");
  options.global_batch = 8;
  options.one_pass = true;
  Loader loader(options);
  EXPECT_EQ(loader.steps(), 20);
  while (loader.step() <= loader.steps()) {
    std::int64_t masked = 0;
    for (const auto& batch : loader.next().micro_batches) {
      EXPECT_EQ(batch.sequences(), 2);
      masked += std::ssize(batch.label_rows);
    }
    EXPECT_GE(masked, 8);
  }
  const ShardSummary summary = summarize_shard(golden / "shard-0.hdf5");
  EXPECT_EQ(summary.kind, ShardKind::kBert);
  EXPECT_EQ(summary.sequences, 80);
  EXPECT_EQ(summary.width, 48);
  EXPECT_EQ(summary.max_masked, 8);
}

TEST(Summary, counts_documents_sentences_and_tokens_by_source) {
  const TemporaryFolder folder;
  const std::vector<Document> documents = {{{5, 6}, {7}}, {{8, 9, 10, 11}}, {{12}}};
  write_shard(folder / "a", documents);
  const ShardSummary summary = summarize_shard(folder / "a");
  EXPECT_EQ(summary.kind, ShardKind::kNystrom);
  EXPECT_EQ(summary.counts, (ShardCounts{.documents = 3, .sentences = 4, .tokens = 8}));
  ASSERT_EQ(summary.sources.size(), 2U);
  EXPECT_EQ(summary.sources[0].name, "wiki");
  EXPECT_EQ(summary.sources[0].counts, (ShardCounts{.documents = 2, .sentences = 3, .tokens = 4}));
  EXPECT_EQ(summary.sources[1].counts, (ShardCounts{.documents = 1, .sentences = 1, .tokens = 4}));
  EXPECT_THAT(summary.document_tokens.bins, ElementsAre(1, 1, 1));  // 1, 3 and 4 tokens
  EXPECT_THAT(summary.sentence_tokens.bins, ElementsAre(2, 1, 1));
  EXPECT_EQ(summary.document_tokens.longest, 4);
}

TEST(UnigramEntropy, is_that_of_the_token_frequencies_without_special_ones) {
  const TemporaryFolder folder;
  write_shard(folder / "a", {{{5, 5, 6, 3}}});
  write_shard(folder / "b", {{{7}}});
  const double expected = 0.5 * std::log(2.0) + 0.5 * std::log(4.0);
  EXPECT_NEAR(unigram_entropy({folder / "a", folder / "b"}), expected, 1e-12);
  write_bert(folder / "c");
  EXPECT_NEAR(unigram_entropy({folder / "c"}), std::log(3.0), 1e-12);
}

}  // namespace
}  // namespace nystrom
