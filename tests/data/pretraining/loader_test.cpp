#include "data/pretraining/loader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "data/shards/shard_reader.h"
#include "rows.h"
#include "shard_corpus.h"

namespace nystrom {
namespace {

using ::testing::HasSubstr;
using namespace nystrom::testing;

class LoaderTest : public ::testing::Test {
 protected:
  LoaderTest() : documents_(make_documents(150)) {
    write_shard(folder_ / "a.h5", {documents_.begin(), documents_.begin() + 80});
    write_shard(folder_ / "b.h5", {documents_.begin() + 80, documents_.end()});
    shards_ = {folder_ / "a.h5", folder_ / "b.h5"};
  }
  [[nodiscard]] LoaderOptions options(std::int64_t length = 32) const {
    return loader_options(shards_, length);
  }
  [[nodiscard]] LoaderOptions one_pass(std::int64_t length = 32) const {
    LoaderOptions o = options(length);
    o.one_pass = true;
    o.shuffle = false;
    return o;
  }

  TemporaryFolder folder_;
  std::vector<Document> documents_;
  std::vector<std::string> shards_;
};

// In file order the samples' texts, concatenated, are the documents, concatenated; each pair is split at
// a sentence boundary.
TEST_F(LoaderTest, an_epoch_is_every_document_split_at_sentences) {
  for (std::int64_t length : {8, 32, 128, 512}) {
    Loader loader(one_pass(length));
    std::vector<Row> rows;
    while (loader.step() <= loader.steps()) {
      const StepBatch batch = loader.next();
      for (auto& row : rows_of(batch)) rows.push_back(std::move(row));
    }
    ASSERT_EQ(static_cast<std::int64_t>(rows.size()), loader.samples_per_epoch());
    std::size_t next = 0;
    std::int64_t tokens = 0, pairs = 0;
    for (const auto& document : documents_) {
      const Sentence whole = flat(document);
      std::set<std::size_t> boundaries;
      std::size_t end = 0;
      for (const auto& sentence : document) boundaries.insert(end += sentence.size());
      Sentence seen;
      while (seen.size() < whole.size()) {
        const Row& row = rows.at(next++);
        const auto [text, cut] = text_of(row);
        ASSERT_LE(std::ssize(row.ids), length);
        EXPECT_EQ(row.sop == -1, cut == 0);
        if (cut > 0) {
          EXPECT_TRUE(boundaries.contains(seen.size() + cut));
        }
        pairs += cut > 0;
        tokens += std::ssize(row.ids);
        seen.insert(seen.end(), text.begin(), text.end());
      }
      ASSERT_EQ(seen, whole);
    }
    EXPECT_EQ(next, rows.size());
    EXPECT_EQ(tokens, loader.tokens_per_epoch());
    EXPECT_GT(pairs, 0);
  }
}

TEST_F(LoaderTest, each_shuffled_epoch_has_each_sample_once_in_another_order) {
  LoaderOptions plain = one_pass();
  const std::int64_t count = Loader(plain).samples_per_epoch();
  LoaderOptions shuffled = options();
  shuffled.global_batch = count;
  const auto in_order = [&](std::vector<Row> rows) {
    std::vector<Sentence> texts;
    for (const auto& row : rows) texts.push_back(text_of(row).first);
    return texts;
  };
  plain.global_batch = count;
  auto expected = in_order(rows_of_steps(plain, 1));
  Loader loader(shuffled);
  auto first = in_order(rows_of(loader.next())), second = in_order(rows_of(loader.next()));
  EXPECT_NE(first, expected);
  EXPECT_NE(first, second);
  for (auto* texts : {&expected, &first, &second}) std::sort(texts->begin(), texts->end());
  EXPECT_EQ(first, expected);
  EXPECT_EQ(second, expected);
}

TEST_F(LoaderTest, masks_are_new_in_every_epoch) {
  LoaderOptions o = options();
  o.shuffle = false;
  o.global_batch = Loader(o).samples_per_epoch();
  const auto rows = rows_of_steps(o, 2);
  const auto count = static_cast<std::size_t>(o.global_batch);
  int same = 0;
  for (std::size_t i = 0; i < count; ++i) same += rows[i].positions == rows[i + count].positions;
  EXPECT_LT(same, static_cast<int>(count) / 3);
}

TEST_F(LoaderTest, ranks_and_micro_batches_do_not_change_the_global_batch) {
  const auto expected = rows_of_steps(options(), 5);
  for (std::int64_t ranks : {1, 2, 3, 9}) {
    for (std::int64_t micro : {1, 2, 5, 100}) {
      std::vector<std::vector<Row>> by_step(5);
      for (std::int64_t rank = 0; rank < ranks; ++rank) {
        LoaderOptions o = options();
        o.rank = rank;
        o.ranks = ranks;
        o.micro_batch = micro;
        Loader loader(o);
        for (auto& rows : by_step) {
          const StepBatch step = loader.next();
          for (const auto& batch : step.micro_batches) {
            EXPECT_LE(batch.sequences(), loader.limits().sequences);
            EXPECT_LE(batch.tokens(), loader.limits().tokens);
            EXPECT_LE(std::ssize(batch.label_rows), loader.limits().masked);
            append_rows(batch, rows);
          }
        }
      }
      std::vector<Row> all;
      for (auto& rows : by_step) all.insert(all.end(), rows.begin(), rows.end());
      EXPECT_EQ(all, expected) << ranks << " ranks, micro-batch " << micro;
    }
  }
}

TEST_F(LoaderTest, seeking_a_step_equals_running_to_it) {
  Loader straight(options());
  std::vector<std::vector<Row>> steps;
  for (int s = 0; s < 60; ++s) steps.push_back(rows_of(straight.next()));
  Loader jumping(options());
  for (std::int64_t step : {60, 7, 1, 33, 34}) {
    jumping.seek(step);
    EXPECT_EQ(jumping.step(), step);
    EXPECT_EQ(rows_of(jumping.next()), steps[static_cast<std::size_t>(step - 1)]);
  }
}

TEST_F(LoaderTest, the_prefetch_thread_changes_nothing) {
  LoaderOptions o = options();
  const auto ahead = rows_of_steps(o, 10);
  o.prefetch = 0;
  EXPECT_EQ(rows_of_steps(o, 10), ahead);
}

TEST_F(LoaderTest, half_of_the_pairs_are_swapped) {
  LoaderOptions o = options(64);
  int swapped = 0, ordered = 0;
  for (const auto& row : rows_of_steps(o, 300)) {
    swapped += row.sop == 1;
    ordered += row.sop == 0;
  }
  EXPECT_NEAR(swapped, ordered, 200);  // of about 2,200
}

TEST_F(LoaderTest, without_pairs_a_sample_is_one_segment) {
  LoaderOptions o = one_pass();
  o.samples.pairs = false;
  const auto rows = rows_of_steps(o, 3);
  std::size_t longest = 0;
  for (const auto& row : rows) {
    EXPECT_EQ(row.sop, -1);
    EXPECT_EQ(std::count(row.ids.begin(), row.ids.end(), 2), 1);
    longest = std::max(longest, row.ids.size());
  }
  EXPECT_EQ(longest, 32U);
}

TEST_F(LoaderTest, padding_fills_rows_to_the_sequence_length) {
  LoaderOptions o = options();
  const auto plain = rows_of_steps(o, 2);
  o.pad_to_length = true;
  Loader loader(o);
  std::size_t at = 0;
  for (int s = 0; s < 2; ++s) {
    for (const auto& batch : loader.next().micro_batches) {
      std::vector<Row> rows;
      append_rows(batch, rows);
      for (std::size_t b = 0; b < rows.size(); ++b) {
        const Row& expected = plain[at++];
        const auto length = static_cast<std::size_t>(batch.lengths[b]);
        ASSERT_EQ(rows[b].ids.size(), 32U);
        EXPECT_EQ(length, expected.ids.size());
        EXPECT_EQ(std::count(rows[b].ids.begin(), rows[b].ids.end(), 1), 32 - batch.lengths[b]);
        EXPECT_EQ(rows[b].positions, expected.positions);
        rows[b].ids.resize(length);
        EXPECT_EQ(rows[b].ids, expected.ids);
      }
    }
  }
}

TEST_F(LoaderTest, one_pass_ends_with_the_remainder_and_may_be_limited) {
  LoaderOptions o = one_pass();
  o.global_batch = 7;
  Loader loader(o);
  EXPECT_EQ(loader.steps(), (loader.samples_per_epoch() + 6) / 7);
  std::int64_t rows = 0;
  while (loader.step() <= loader.steps()) rows += std::ssize(rows_of(loader.next()));
  EXPECT_EQ(rows, loader.samples_per_epoch());
  loader.seek(1);
  const auto again = rows_of(loader.next());
  EXPECT_EQ(again, rows_of_steps(o, 1));
  o.max_steps = 3;
  EXPECT_EQ(Loader(o).steps(), 3);
}

TEST_F(LoaderTest, refuses_shards_of_two_tokenizers_naming_both) {
  write_shard(folder_ / "other.h5", make_documents(3), header('b'));
  const auto message = message_of<InputError>([&] {
    Loader(loader_options({shards_[0], folder_ / "other.h5"}));
  });
  EXPECT_THAT(message, HasSubstr("a.h5"));
  EXPECT_THAT(message, HasSubstr("other.h5"));
}

TEST_F(LoaderTest, refuses_another_tokenizer_than_the_one_given) {
  LoaderOptions o = options();
  o.samples.tokenizer_sha256 = std::string(64, 'c');
  EXPECT_THAT(message_of<InputError>([&] { Loader loader(o); }), HasSubstr("a.h5"));
}

TEST_F(LoaderTest, refuses_a_vocabulary_larger_than_the_model_s) {
  LoaderOptions o = options();
  o.samples.vocabulary_size = kVocabulary - 1;
  EXPECT_THAT(message_of<InputError>([&] { Loader loader(o); }), HasSubstr("vocabulary"));
}

TEST_F(LoaderTest, a_global_batch_beyond_memory_is_refused) {
  LoaderOptions o = options();
  o.global_batch = std::int64_t{1} << 40U;
  const std::string message = message_of<InputError>([&] { Loader loader(o); });
  EXPECT_THAT(message, HasSubstr("`training.global_batch` is 1099511627776"));
  EXPECT_THAT(message, HasSubstr("GiB, but this process can have"));
  o.one_pass = true;  // an evaluation reads what there is
  EXPECT_GT(Loader(o).steps(), 0);
}

TEST_F(LoaderTest, refuses_an_empty_list_and_empty_shards) {
  EXPECT_THROW(Loader(loader_options({})), InputError);
  write_shard(folder_ / "empty.h5", {});
  EXPECT_THAT(message_of<InputError>([&] { Loader(loader_options({folder_ / "empty.h5"})); }),
              HasSubstr("empty.h5"));
  Loader beside_others(loader_options({folder_ / "empty.h5", shards_[0]}));
  EXPECT_EQ(beside_others.samples_per_epoch(), Loader(loader_options({shards_[0]})).samples_per_epoch());
}

// Flips a bit of the token stream.
void damage(const std::string& path) {
  std::string bytes = read_bytes(path);
  ShardReader reader(path);
  std::vector<std::int32_t> ids;
  reader.read_tokens(0, 40, ids);
  std::string pattern;
  for (auto id : ids) pattern += {static_cast<char>(id & 255), static_cast<char>(id >> 8)};
  const auto at = bytes.find(pattern);
  ASSERT_NE(at, std::string::npos);
  bytes[at + 20] = static_cast<char>(bytes[at + 20] ^ 1);
  write_bytes(path, bytes);
}

TEST_F(LoaderTest, refuses_corrupt_tokens_on_opening) {
  damage(shards_[1]);
  const auto message = message_of<InputError>([&] { Loader loader(options()); });
  EXPECT_THAT(message, HasSubstr("b.h5"));
  EXPECT_THAT(message, HasSubstr("tokens"));
}

TEST_F(LoaderTest, carries_an_error_of_the_prefetch_thread_to_next) {
  damage(shards_[0]);
  LoaderOptions o = options();
  o.samples.verify_bytes = 0;
  Loader loader(o);
  const auto read_all = [&] {
    for (int s = 0; s < 1000; ++s) (void)loader.next();
  };
  EXPECT_THAT(message_of<InputError>(read_all), HasSubstr("a.h5"));
  EXPECT_THAT(message_of<InputError>(read_all), HasSubstr("a.h5"));  // and again
}

TEST_F(LoaderTest, destruction_while_prefetching_ends_the_thread) {
  const auto threads = [] {
    const std::filesystem::directory_iterator tasks("/proc/self/task");
    return std::distance(begin(tasks), end(tasks));
  };
  LoaderOptions o = options();
  o.prefetch = 0;
  const auto expected = rows_of(Loader(o).next());
  o.prefetch = 2;
  const auto before = threads();
  for (int i = 0; i < 20; ++i) {
    Loader loader(o);
    if (i % 2 == 0) {
      EXPECT_EQ(rows_of(loader.next()), expected);
      EXPECT_GT(threads(), before);  // the next batches are read ahead
    }
  }
  EXPECT_EQ(threads(), before);
}

TEST_F(LoaderTest, reads_more_shards_than_it_keeps_open) {
  std::vector<std::string> many;
  for (std::size_t i = 0; i < 150; ++i) {
    many.push_back(folder_ / fmt::format("many{}", 1000 + i));
    write_shard(many.back(), {documents_[i]});
  }
  LoaderOptions o = one_pass(64);
  const auto expected = rows_of_steps(o, Loader(o).steps());
  o.samples.shards = many;
  o.samples.cache_bytes = 1000;
  EXPECT_EQ(rows_of_steps(o, Loader(o).steps()), expected);
}

TEST_F(LoaderTest, its_thread_is_recorded_in_a_trace) {
  Trace trace;
  LoaderOptions o = options();
  o.trace = &trace;
  trace.start();
  {
    Loader loader(o);
    loader.seek(5);
    (void)loader.next();
    (void)loader.next();
  }
  trace.stop();
  ASSERT_GE(trace.events().size(), 2U);
  for (std::size_t i = 0; i < trace.events().size(); ++i) {
    const Trace::Event& event = trace.events()[i];
    EXPECT_EQ(event.name, "batch");
    EXPECT_EQ(event.kind, Trace::Kind::kLoader);
    EXPECT_EQ(event.number, static_cast<std::int64_t>(5 + i));
  }
}

}  // namespace
}  // namespace nystrom
