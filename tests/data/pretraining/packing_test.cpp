#include "data/pretraining/packing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <numeric>

#include "rows.h"
#include "shard_corpus.h"

namespace nystrom {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using namespace nystrom::testing;

struct Placed {
  std::vector<std::uint64_t> starts;  // first tokens of the samples
  std::int64_t special_tokens = 0;
};

// Documents as lists of sentence lengths, each from the source at its index in `sources` (0 if that is
// empty).
Placed place(const PackingOptions& options, const std::vector<std::vector<std::uint64_t>>& documents,
             const std::vector<std::uint32_t>& sources = {}) {
  SamplePacker packer(options, true, 0);
  std::uint64_t sentence = 0, token = 0;
  for (std::size_t d = 0; d < documents.size(); ++d) {
    packer.begin_document(sources.empty() ? 0 : sources[d]);
    for (const std::uint64_t length : documents[d]) {
      packer.add_sentence(sentence++, token, token + length);
      token += length;
    }
  }
  const PackedSamples packed = packer.finish();
  EXPECT_EQ(packed.documents.size(), documents.size());
  Placed placed{{}, packed.special_tokens};
  for (const auto& start : packed.starts) placed.starts.push_back(start.token);
  return placed;
}

TEST(SamplePacker, fills_samples_with_sentences_of_one_document) {
  const Placed placed = place({.capacity = 10}, {{4, 4, 4}, {1}, {25, 3}});
  EXPECT_THAT(placed.starts, ElementsAre(0, 8, 12, 13, 23, 33));  // 4 4 | 4 | 1 | 10 | 10 | 5 3
  EXPECT_EQ(placed.special_tokens, 3 + 2 + 2 + 2 + 2 + 3);
}

TEST(SamplePacker, puts_whole_documents_together_where_they_fit) {
  const PackingOptions options{.capacity = 10, .packing = Packing::kDocuments};
  // 3 + separator + 4 = 8; the third, of 2, would make 11 with its separator.
  EXPECT_THAT(place(options, {{3}, {2, 2}, {2}}).starts, ElementsAre(0, 7));
  EXPECT_EQ(place(options, {{3}, {2, 2}, {2}}).special_tokens, 3 + 2);
  EXPECT_THAT(place(options, {{3}, {2, 2}, {1}}).starts, ElementsAre(0));
  // Not truncated to fill the rest, and never two sources.
  EXPECT_THAT(place(options, {{6}, {3, 3}}).starts, ElementsAre(0, 6));
  EXPECT_THAT(place(options, {{2}, {2}, {2}}, {0, 1, 1}).starts, ElementsAre(0, 2));
  // The end of a long document takes in a short one.
  EXPECT_THAT(place(options, {{8, 3}, {4}}).starts, ElementsAre(0, 8));
}

TEST(SamplePacker, of_the_original_ends_with_the_sentence_that_reaches_the_target) {
  const PackingOptions options{.capacity = 10, .pairs = PairStyle::kOriginal};
  EXPECT_THAT(place(options, {{4, 4, 4, 4}, {30, 2}}).starts, ElementsAre(0, 12, 16, 46));
}

TEST(TargetLength, is_short_as_often_as_asked_and_then_of_any_length) {
  const PackingOptions options{.capacity = 100, .short_probability = 0.1, .seed = 3};
  std::vector<std::uint64_t> lengths;
  for (std::uint64_t i = 0; i < 20000; ++i) {
    const auto target = target_length(options, i);
    ASSERT_GE(target, 2U);
    ASSERT_LE(target, 100U);
    if (target < 100) lengths.push_back(target);
    EXPECT_EQ(target, target_length(options, i));
  }
  EXPECT_NEAR(static_cast<double>(lengths.size()), 1980, 220);  // five standard deviations
  const double mean =
      std::accumulate(lengths.begin(), lengths.end(), 0.0) / static_cast<double>(lengths.size());
  EXPECT_NEAR(mean, 50.5, 3.5);
  EXPECT_EQ(target_length({.capacity = 100}, 7), 100U);
}

class PackingLoaderTest : public ::testing::Test {
 protected:
  PackingLoaderTest() : documents_(make_documents(150)) {
    write_shard(folder_ / "a.h5", {documents_.begin(), documents_.begin() + 80});
    write_shard(folder_ / "b.h5", {documents_.begin() + 80, documents_.end()});
  }
  [[nodiscard]] LoaderOptions one_pass(std::int64_t length) const {
    LoaderOptions o = loader_options({folder_ / "a.h5", folder_ / "b.h5"}, length);
    o.one_pass = true;
    o.shuffle = false;
    return o;
  }
  [[nodiscard]] static std::vector<Row> all_rows(const LoaderOptions& o) {
    return rows_of_steps(o, Loader(o).steps());
  }
  [[nodiscard]] Sentence whole_text() const {
    Sentence text;
    for (const auto& document : documents_) {
      const Sentence one = flat(document);
      text.insert(text.end(), one.begin(), one.end());
    }
    return text;
  }
  TemporaryFolder folder_;
  std::vector<Document> documents_;
};

TEST_F(PackingLoaderTest, short_samples_still_hold_each_token_once) {
  LoaderOptions o = one_pass(128);
  const auto samples = Loader(o).samples_per_epoch();
  o.samples.short_sequence_probability = 0.5;
  Sentence seen;
  std::int64_t tokens = 0;
  for (const auto& row : all_rows(o)) {
    const auto text = text_of(row).first;
    seen.insert(seen.end(), text.begin(), text.end());
    tokens += std::ssize(row.ids);
    EXPECT_LE(std::ssize(row.ids), 128);
  }
  EXPECT_EQ(seen, whole_text());
  EXPECT_EQ(tokens, Loader(o).tokens_per_epoch());
  EXPECT_GT(Loader(o).samples_per_epoch(), samples + samples / 10);
  LoaderOptions other = o;
  other.samples.seed = 8;
  EXPECT_NE(Loader(other).samples_per_epoch(), Loader(o).samples_per_epoch());
}

// `<s> D </s> E </s>`: every document ends with </s>, and the samples are fewer and fuller.
TEST_F(PackingLoaderTest, documents_share_samples_and_keep_their_ends) {
  LoaderOptions o = one_pass(256);
  // One source, so that all may join.
  ShardWriter writer(folder_ / "c.h5", header());
  for (const auto& document : documents_) writer.add_document(0, document);
  writer.finish();
  o.samples.shards = {folder_ / "c.h5"};
  const auto apart = Loader(o).samples_per_epoch();
  o.samples.packing = Packing::kDocuments;
  const auto rows = all_rows(o);
  EXPECT_LT(std::ssize(rows), apart * 2 / 3);
  std::vector<Sentence> pieces;
  std::int64_t tokens = 0;
  int shared = 0;
  for (const auto& row : rows) {
    tokens += std::ssize(row.ids);
    EXPECT_LE(std::ssize(row.ids), 256);
    EXPECT_EQ(row.ids.back(), 2);
    if (row.sop >= 0) {  // a pair: of one document
      pieces.push_back(text_of(row).first);
      continue;
    }
    const Sentence ids = unmasked(row);
    EXPECT_EQ(std::count(row.types.begin(), row.types.end(), 0), std::ssize(row.types));
    shared += std::count(ids.begin(), ids.end(), 2) > 1;
    for (auto begin = ids.begin() + 1; begin != ids.end();) {
      const auto end = std::find(begin, ids.end(), 2);
      pieces.emplace_back(begin, end);
      begin = end + 1;
    }
  }
  EXPECT_GT(shared, 10);
  EXPECT_EQ(tokens, Loader(o).tokens_per_epoch());
  // Pieces that are not whole documents are parts of the one document that is too long for a sample.
  std::size_t at = 0;
  for (const auto& document : documents_) {
    const Sentence whole = flat(document);
    Sentence joined;
    const std::size_t first = at;
    while (joined.size() < whole.size())
      joined.insert(joined.end(), pieces[at].begin(), pieces[at].end()), ++at;
    EXPECT_EQ(joined, whole);
    if (whole.size() <= 253) {
      EXPECT_EQ(at - first, 1U);
    }
  }
  EXPECT_EQ(at, pieces.size());
}

// The rules of the original: no sample without a pair, never longer than asked for, the text consecutive up
// to what was truncated, and a single sentence is paired with its document and labelled as swapped.
TEST_F(PackingLoaderTest, pairs_of_the_original_are_all_labelled_and_truncated_to_the_length) {
  LoaderOptions o = one_pass(64);
  o.samples.pair_style = PairStyle::kOriginal;
  const Sentence whole = whole_text();
  int swapped = 0, in_order = 0, full = 0;
  std::map<bool, int> from_the_middle;
  for (const auto& row : all_rows(o)) {
    ASSERT_NE(row.sop, -1);
    swapped += row.sop == 1;
    in_order += row.sop == 0;
    ASSERT_LE(std::ssize(row.ids), 64);
    full += std::ssize(row.ids) == 64;
    const Sentence ids = unmasked(row);
    ASSERT_EQ(std::count(ids.begin(), ids.end(), 2), 2);
    const auto middle = std::find(ids.begin(), ids.end(), 2);
    for (const auto& [begin, end] :
         {std::pair(ids.begin() + 1, middle), std::pair(middle + 1, ids.end() - 1)}) {
      ASSERT_LT(begin, end);
      EXPECT_NE(std::search(whole.begin(), whole.end(), begin, end), whole.end());
    }
  }
  EXPECT_GT(full, 100);  // a sentence reaches beyond the target more often than not
  EXPECT_GT(in_order, 100);
  EXPECT_GT(swapped, in_order);  // half of the pairs, and all single sentences
  EXPECT_EQ(Loader(o).tokens_per_epoch(), -1);
}

TEST_F(PackingLoaderTest, a_document_of_one_sentence_is_paired_with_itself_by_the_original) {
  write_shard(folder_ / "one.h5", {{{10, 11, 12, 13}}});
  LoaderOptions o = one_pass(32);
  o.samples.shards = {folder_ / "one.h5"};
  o.samples.pair_style = PairStyle::kOriginal;
  o.samples.masking.probability = 0;
  const auto rows = all_rows(o);
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_THAT(rows[0].ids, ElementsAre(0, 10, 11, 12, 13, 2, 10, 11, 12, 13, 2));
  EXPECT_EQ(rows[0].sop, 1);
}

TEST_F(PackingLoaderTest, of_every_kind_is_the_same_on_any_ranks_and_after_a_seek) {
  for (const int kind : {0, 1, 2}) {
    LoaderOptions o = one_pass(48);
    o.one_pass = false;
    o.shuffle = true;
    o.samples.short_sequence_probability = 0.2;
    if (kind == 1) o.samples.packing = Packing::kDocuments;
    if (kind == 2) o.samples.pair_style = PairStyle::kOriginal;
    const auto expected = rows_of_steps(o, 40);  // beyond an epoch
    o.ranks = 3;
    std::vector<Row> step;
    for (o.rank = 0; o.rank < 3; ++o.rank) {
      Loader loader(o);
      loader.seek(40);
      for (auto& row : rows_of(loader.next())) step.push_back(std::move(row));
    }
    EXPECT_EQ(step, std::vector<Row>(expected.end() - o.global_batch, expected.end())) << kind;
  }
}

TEST_F(PackingLoaderTest, refuses_what_does_not_go_together) {
  LoaderOptions o = one_pass(48);
  o.samples.pair_style = PairStyle::kOriginal;
  o.samples.packing = Packing::kDocuments;
  EXPECT_THAT(message_of<InputError>([&] { Loader loader(o); }), HasSubstr("data.packing"));
  o = one_pass(48);
  o.samples.short_sequence_probability = 1.5;
  EXPECT_THAT(message_of<InputError>([&] { Loader loader(o); }), HasSubstr("short_sequence_probability"));
}

}  // namespace
}  // namespace nystrom
