// Self-pretraining reads a task's sequences with tokens masked, the same on any number of ranks.

#include "trainer/tasks/masked_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "kernels/core/philox.h"

namespace nystrom {
namespace {

using ::testing::Each;
using ::testing::ElementsAreArray;

constexpr std::int32_t kVocabulary = 16;  // of the task, padding included; the mask is token 16

/// Ten sequences of 3 to 30 tokens; those of odd numbers leave out every other position.
class MadeUp final : public TaskSplit {
 public:
  MadeUp() : TaskSplit("train") {
    for (std::int32_t i = 0; i < 10; ++i) {
      Random random(3, Purpose::kTest, static_cast<std::uint64_t>(i));
      TaskSequence& sequence = sequences_.emplace_back();
      for (std::int32_t t = 0; t < 3 * (i + 1); ++t) {
        sequence.ids.push_back(static_cast<std::int32_t>(1 + random.below(kVocabulary - 1)));
        sequence.positions.push_back(i % 2 == 1 ? 2 * t : t);
      }
      sequence.second = i == 4 ? 5 : static_cast<std::int32_t>(sequence.ids.size());
      sequence.label = i % 3;
    }
  }
  [[nodiscard]] std::vector<Score> score(const Outputs&) const override { return {}; }
  [[nodiscard]] PredictionTable predictions(const Outputs&) const override { return {}; }
};

MaskedSourceOptions options() {
  return {.split = std::make_shared<MadeUp>(),
          .masking = {.probability = 0.3, .mask = 1, .random = 0},
          .vocabulary = kVocabulary,
          .seed = 5,
          .global_batch = 7,
          .micro_batch = 2};
}

template <class T>
void append(std::vector<T>& to, const std::vector<T>& from) {
  to.insert(to.end(), from.begin(), from.end());
}

/// What the sources of all ranks read of a batch, as one micro-batch.
HostBatch whole(MaskedSourceOptions o, std::int64_t index, int ranks = 1) {
  HostBatch all;
  all.offsets = {0};
  for (int rank = 0; rank < ranks; ++rank) {
    o.rank = rank;
    o.ranks = ranks;
    MaskedSource source(o);
    for (const HostBatch& part : source.read(index).micro_batches) {
      EXPECT_LE(part.sequences(), source.limits().sequences);
      EXPECT_LE(part.tokens(), source.limits().tokens);
      EXPECT_LE(std::ssize(part.label_rows), source.limits().labels);
      EXPECT_LE(*std::ranges::max_element(part.lengths), source.limits().longest);
      const auto base = static_cast<std::int32_t>(all.input_ids.size());
      for (const std::int32_t row : part.label_rows) all.label_rows.push_back(base + row);
      for (std::size_t i = 1; i < part.offsets.size(); ++i) all.offsets.push_back(base + part.offsets[i]);
      append(all.input_ids, part.input_ids);
      append(all.token_type_ids, part.token_type_ids);
      append(all.positions, part.positions);
      append(all.lengths, part.lengths);
      append(all.samples, part.samples);
      append(all.token_labels, part.token_labels);
      append(all.sequence_labels, part.sequence_labels);
    }
  }
  return all;
}

/// The tokens of sequence i of a batch, with the labels put back.
std::vector<std::int32_t> restored(const HostBatch& batch, std::size_t i) {
  std::vector<std::int32_t> ids = batch.input_ids;
  for (std::size_t p = 0; p < batch.label_rows.size(); ++p)
    ids[static_cast<std::size_t>(batch.label_rows[p])] = batch.token_labels[p];
  return {ids.begin() + batch.offsets[i], ids.begin() + batch.offsets[i + 1]};
}

/// The number in the split.
std::size_t number_of(const HostBatch& batch, std::size_t i) {
  return static_cast<std::size_t>(batch.lengths[i] / 3 - 1);
}

TEST(MaskedSource, a_share_of_each_sequence_is_masked_and_the_labels_are_the_original_tokens) {
  const MadeUp split;
  const HostBatch batch = whole(options(), 0);
  ASSERT_EQ(batch.sequences(), 7);
  for (const std::int32_t row : batch.label_rows)
    EXPECT_EQ(batch.input_ids[static_cast<std::size_t>(row)], kVocabulary);
  EXPECT_EQ(std::ranges::count(batch.input_ids, kVocabulary), std::ssize(batch.label_rows));
  for (std::size_t i = 0; i < 7; ++i) {
    const TaskSequence& original = split.sequences()[number_of(batch, i)];
    EXPECT_EQ(restored(batch, i), original.ids);
    const auto masked = std::ranges::count_if(batch.label_rows, [&](std::int32_t row) {
      return row >= batch.offsets[i] && row < batch.offsets[i + 1];
    });
    EXPECT_EQ(masked, std::llround(0.3 * static_cast<double>(original.ids.size())));
    const std::vector<std::int32_t> positions(batch.positions.begin() + batch.offsets[i],
                                              batch.positions.begin() + batch.offsets[i + 1]);
    EXPECT_EQ(positions, original.positions);
    const auto second = std::count(batch.token_type_ids.begin() + batch.offsets[i],
                                   batch.token_type_ids.begin() + batch.offsets[i + 1], 1);
    EXPECT_EQ(second, std::ssize(original.ids) - original.second);
  }
  EXPECT_THAT(batch.sequence_labels, Each(-1)) << "the task's own labels are not seen";
}

TEST(MaskedSource, random_tokens_are_the_tasks) {
  MaskedSourceOptions o = options();
  o.masking = {.probability = 1, .mask = 0, .random = 1};
  std::set<std::int32_t> seen;
  for (std::int64_t index = 0; index < 20; ++index)
    for (const std::int32_t id : whole(o, index).input_ids) seen.insert(id);
  EXPECT_EQ(seen.size(), std::size_t{kVocabulary - 1});
  EXPECT_EQ(*seen.begin(), 1) << "not padding";
  EXPECT_EQ(*seen.rbegin(), kVocabulary - 1) << "not the mask";
}

TEST(MaskedSource, ranks_and_micro_batches_share_the_same_global_batch) {
  for (const std::int64_t index : {0, 1, 5}) {
    const HostBatch one = whole(options(), index);
    for (const int ranks : {2, 3, 8}) {
      MaskedSourceOptions o = options();
      o.micro_batch = ranks;
      const HostBatch many = whole(o, index, ranks);
      EXPECT_EQ(many.input_ids, one.input_ids);
      EXPECT_EQ(many.label_rows, one.label_rows);
      EXPECT_EQ(many.token_labels, one.token_labels);
      EXPECT_EQ(many.samples, one.samples);
      EXPECT_EQ(many.positions, one.positions);
    }
  }
}

TEST(MaskedSource, an_epoch_visits_each_sequence_once_and_the_next_masks_others) {
  std::vector<std::size_t> order;
  std::vector<std::vector<std::int32_t>> masked;
  for (std::int64_t index = 0; index < 20; ++index) {
    MaskedSourceOptions o = options();
    o.global_batch = 1;
    const HostBatch batch = whole(o, index);
    order.push_back(number_of(batch, 0));
    masked.push_back(batch.input_ids);
  }
  const auto middle = order.begin() + 10;
  for (const auto& [begin, end] : {std::pair{order.begin(), middle}, std::pair{middle, order.end()}})
    EXPECT_EQ(std::set(begin, end).size(), 10U);
  EXPECT_FALSE(std::equal(order.begin(), middle, middle));
  const auto longest = [&](std::ptrdiff_t from) {
    return std::ranges::find(order.begin() + from, order.end(), 9U) - order.begin();
  };
  EXPECT_NE(masked[static_cast<std::size_t>(longest(0))], masked[static_cast<std::size_t>(longest(10))]);
}

TEST(MaskedSource, an_evaluation_ends_in_order_and_begins_again_with_the_same_masks) {
  MaskedSourceOptions o = options();
  o.one_pass = true;
  EXPECT_EQ(MaskedSource(o).batches(), 2);
  const HostBatch first = whole(o, 0), last = whole(o, 1, 2);
  EXPECT_THAT(first.lengths, ElementsAreArray({3, 6, 9, 12, 15, 18, 21}));
  EXPECT_THAT(last.lengths, ElementsAreArray({24, 27, 30}));
  EXPECT_EQ(whole(o, 0).input_ids, first.input_ids);
  o.max_batches = 1;
  EXPECT_EQ(MaskedSource(o).batches(), 1);
}

TEST(MaskedSource, the_entropy_of_tokens_is_that_of_their_frequencies) {
  const MadeUp split;
  std::vector<double> counts(kVocabulary);
  double all = 0, entropy = 0;
  for (const auto& sequence : split.sequences())
    for (const std::int32_t id : sequence.ids) {
      ++counts[static_cast<std::size_t>(id)];
      ++all;
    }
  for (const double count : counts)
    if (count > 0) entropy -= count / all * std::log(count / all);
  EXPECT_NEAR(unigram_entropy(split), entropy, 1e-12);
}

}  // namespace
}  // namespace nystrom
