#include "data/pretraining/mixture.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "rows.h"
#include "shard_corpus.h"

namespace nystrom {
namespace {

using ::testing::HasSubstr;
using namespace nystrom::testing;

constexpr std::uint64_t kLarge = 1000, kSmall = 30;

// Samples 0, 1, ... of a large corpus with those of a small one in its middle.
std::vector<CorpusSamples> two_corpora() {
  std::vector<CorpusSamples> corpora{CorpusSamples("large"), CorpusSamples("small")};
  corpora[0].add(0, 400);
  corpora[1].add(400, kSmall);
  corpora[0].add(400 + kSmall, kLarge - 400);
  return corpora;
}

bool is_small(std::uint64_t sample) {
  return sample >= 400 && sample < 400 + kSmall;
}

TEST(CorpusSamples, counts_on_over_gaps) {
  const auto corpora = two_corpora();
  EXPECT_EQ(corpora[0].size(), kLarge);
  EXPECT_EQ(corpora[0][399], 399U);
  EXPECT_EQ(corpora[0][400], 400 + kSmall);
  EXPECT_EQ(corpora[0][kLarge - 1], kLarge + kSmall - 1);
  EXPECT_EQ(corpora[1][3], 403U);
}

TEST(Mixture, gives_each_corpus_its_share_of_every_block) {
  const auto corpora = two_corpora();
  Mixture mixture({{"small", 1}, {"large", 3}}, corpora, 5, true);
  EXPECT_DOUBLE_EQ(mixture.share(0), 0.75);
  for (std::uint64_t block : {0, 7}) {
    std::uint64_t small = 0, in_a_part = 0;
    for (std::uint64_t i = 0; i < Mixture::kBlock; ++i) {
      small += is_small(mixture(block * Mixture::kBlock + i));
      if (i == 1023) in_a_part = small;
    }
    EXPECT_EQ(small, Mixture::kBlock / 4);
    EXPECT_NEAR(static_cast<double>(in_a_part), 256, 70);  // mixed throughout: five standard deviations
  }
}

// The stream of one corpus is its epochs: each sample once, then each once again in another order.
TEST(Mixture, goes_through_each_corpus_in_its_own_epochs) {
  const auto corpora = two_corpora();
  Mixture mixture({{"small", 1}, {"large", 1}}, corpora, 5, true);
  std::vector<std::uint64_t> small, large;
  const std::uint64_t far = 3 * Mixture::kBlock;
  for (std::uint64_t g = 0; g < far; ++g) {
    const auto sample = mixture(g);
    (is_small(sample) ? small : large).push_back(sample);
  }
  const auto check = [](const std::vector<std::uint64_t>& stream, std::size_t size) {
    std::set<std::vector<std::uint64_t>> orders;
    for (std::size_t begin = 0; begin + size <= stream.size(); begin += size) {
      const std::vector<std::uint64_t> epoch(stream.begin() + static_cast<std::ptrdiff_t>(begin),
                                             stream.begin() + static_cast<std::ptrdiff_t>(begin + size));
      ASSERT_EQ(std::set(epoch.begin(), epoch.end()).size(), size) << "epoch " << begin / size;
      EXPECT_TRUE(orders.insert(epoch).second);
    }
    EXPECT_GT(orders.size(), 90U);
  };
  check(small, kSmall);
  check(large, kLarge);
}

TEST(Mixture, sample_g_does_not_depend_on_earlier_requests) {
  const auto corpora = two_corpora();
  Mixture straight({{"small", 2}, {"large", 5}}, corpora, 9, true);
  std::vector<std::uint64_t> samples;
  for (std::uint64_t g = 0; g < 2 * Mixture::kBlock; ++g) samples.push_back(straight(g));
  Mixture jumping({{"large", 5}, {"small", 2}}, corpora, 9, true);  // nor on the order of the weights
  for (std::uint64_t g : {70000, 3, 131071, 65536, 65535, 0}) EXPECT_EQ(jumping(g), samples[g]) << g;
}

TEST(Mixture, without_shuffle_keeps_the_order_of_the_files) {
  const auto corpora = two_corpora();
  Mixture mixture({{"small", 1}, {"large", 1}}, corpora, 5, false);
  std::uint64_t next = 400;
  for (std::uint64_t g = 0; g < 500; ++g) {
    const auto sample = mixture(g);
    if (!is_small(sample)) continue;
    EXPECT_EQ(sample, next);
    next = next + 1 < 400 + kSmall ? next + 1 : 400;
  }
}

TEST(Mixture, leaves_out_corpora_without_weight) {
  const auto corpora = two_corpora();
  Mixture mixture({{"small", 0}, {"large", 0.5}}, corpora, 5, true);
  for (std::uint64_t g = 0; g < 5000; ++g) ASSERT_FALSE(is_small(mixture(g)));
}

TEST(Mixture, refuses_weights_that_do_not_fit_the_corpora) {
  const auto corpora = two_corpora();
  const auto message = [&](std::vector<MixtureWeight> weights, std::span<const CorpusSamples> of) {
    return message_of<InputError>([&] { Mixture(weights, of, 1, true); });
  };
  EXPECT_EQ(message({{"small", 1}, {"larg", 1}}, corpora),
            "`data.mixture` names larg, but the shards' corpora are large, small.");
  EXPECT_THAT(message({{"small", 1}}, corpora), HasSubstr("does not name large"));
  EXPECT_THAT(message({{"small", 0}, {"large", 0}}, corpora), HasSubstr("every corpus"));
  EXPECT_THAT(message({{"small", 1e-9}, {"large", 1}}, corpora), HasSubstr("share of small"));
  EXPECT_THAT(message({{"small", -1}, {"large", 1}}, corpora), HasSubstr("weight of small"));
  EXPECT_THAT(message({{"small", 1}}, {}), HasSubstr("NVIDIA"));
}

// Through the loader: shards whose documents come from two sources in turn.
class MixtureLoaderTest : public ::testing::Test {
 protected:
  MixtureLoaderTest() {
    std::vector<Document> wiki = make_documents(90), books = make_documents(20, 2);
    // The first token of a sentence identifies its corpus.
    mark(wiki, 10);
    mark(books, 11);
    write_of_source(folder_ / "a.h5", 0, wiki);
    write_of_source(folder_ / "b.h5", 1, books);
  }
  static void mark(std::vector<Document>& documents, std::int32_t token) {
    for (auto& document : documents)
      for (auto& sentence : document)
        for (auto& id : sentence) id = token;
  }
  static void write_of_source(const std::string& path, std::int64_t source,
                              const std::vector<Document>& documents) {
    ShardWriter writer(path, header());
    for (const auto& document : documents) writer.add_document(source, document);
    writer.finish();
  }
  [[nodiscard]] LoaderOptions options() const {
    LoaderOptions o = loader_options({folder_ / "a.h5", folder_ / "b.h5"});
    o.mixture = {{"wiki", 1}, {"books", 1}};
    return o;
  }
  TemporaryFolder folder_;
};

TEST_F(MixtureLoaderTest, draws_corpora_by_weight_not_by_size) {
  int wiki = 0, books = 0;
  for (const auto& row : rows_of_steps(options(), 250)) {
    const auto text = text_of(row).first;
    wiki += text.front() == 10;
    books += text.front() == 11;
  }
  EXPECT_EQ(wiki + books, 2000);
  EXPECT_NEAR(books, 1000, 110);  // five standard deviations; by size they would be 330 or so
}

TEST_F(MixtureLoaderTest, is_the_same_on_any_ranks_and_after_a_seek) {
  const auto expected = rows_of_steps(options(), 6);
  for (std::int64_t ranks : {2, 3}) {
    std::vector<Row> all;
    for (std::int64_t step = 6; step >= 1; --step) {
      std::vector<Row> rows;
      for (std::int64_t rank = 0; rank < ranks; ++rank) {
        LoaderOptions o = options();
        o.rank = rank;
        o.ranks = ranks;
        Loader loader(o);
        loader.seek(step);
        for (auto& row : rows_of(loader.next())) rows.push_back(std::move(row));
      }
      all.insert(all.begin(), rows.begin(), rows.end());
    }
    EXPECT_EQ(all, expected) << ranks << " ranks";
  }
}

TEST_F(MixtureLoaderTest, reports_epochs_by_corpus) {
  LoaderOptions o = options();
  const Loader mixed(o);
  const auto by_weight = mixed.epochs_of(1000);
  o.mixture.clear();
  const Loader plain(o);
  const auto by_size = plain.epochs_of(2 * plain.samples_per_epoch());
  ASSERT_EQ(by_weight.size(), 2U);
  ASSERT_EQ(by_size.size(), 2U);
  EXPECT_EQ(by_size[0].first, "wiki");
  EXPECT_DOUBLE_EQ(by_size[0].second, 2);
  EXPECT_DOUBLE_EQ(by_size[1].second, 2);
  // 500 samples of each: the sizes add up to the whole.
  EXPECT_NEAR(500 / by_weight[0].second + 500 / by_weight[1].second,
              static_cast<double>(plain.samples_per_epoch()), 1e-6);
  EXPECT_GT(by_weight[1].second, 2 * by_weight[0].second);
}

}  // namespace
}  // namespace nystrom
