// Where a group of ranks cuts its batches.

#include "model/sequence_cuts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernels/core/check.h"
#include "kernels/core/philox.h"

namespace nystrom {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

ModelConfig model_of(std::int64_t landmarks) {
  ModelConfig config;
  config.attention.landmarks = landmarks;
  return config;
}

std::vector<std::int32_t> offsets_of(const std::vector<std::int32_t>& lengths) {
  std::vector<std::int32_t> offsets{0};
  for (const std::int32_t length : lengths) offsets.push_back(offsets.back() + length);
  return offsets;
}

TEST(SequenceCuts, one_long_sequence_is_split_into_equal_parts) {
  EXPECT_THAT(sequence_cuts(model_of(64), offsets_of({65536}), 4),
              ElementsAre(0, 16384, 32768, 49152, 65536));
  EXPECT_THAT(sequence_cuts(model_of(64), offsets_of({65536}), 3), ElementsAre(0, 20480, 45056, 65536));
}

TEST(SequenceCuts, short_sequences_are_not_split) {
  EXPECT_THAT(sequence_cuts(model_of(64), offsets_of({512, 500, 300, 700}), 2), ElementsAre(0, 1012, 2012));
  EXPECT_THAT(sequence_cuts(model_of(64), offsets_of({900}), 2), ElementsAre(0, 0, 900));
  EXPECT_THAT(sequence_cuts(model_of(3000), offsets_of({3000, 3000}), 2), ElementsAre(0, 3000, 6000));
  EXPECT_THAT(sequence_cuts(model_of(3000), offsets_of({2000}), 3), ElementsAre(0, 0, 2000, 2000));
}

TEST(SequenceCuts, a_batch_without_tokens_has_empty_spans) {
  EXPECT_THAT(sequence_cuts(model_of(64), std::vector<std::int32_t>{0}, 3), ElementsAre(0, 0, 0, 0));
}

TEST(SequenceCuts, more_ranks_than_chunks_have_tokens_all_the_same) {
  const auto cuts = sequence_cuts(model_of(64), offsets_of({65536}), 40);
  for (std::size_t rank = 0; rank < 40; ++rank) EXPECT_GT(cuts[rank + 1], cuts[rank]) << rank;
}

TEST(SequenceCuts, ascend_and_spans_are_within_their_limits) {
  Random random(1, Purpose::kTest, 4);
  for (int i = 0; i < 400; ++i) {
    const ModelConfig model = model_of(i % 3 == 0 ? 2000 : 64);
    const int ranks = static_cast<int>(1 + random.below(20));
    const auto longest = static_cast<std::int32_t>(1 + random.below(i % 2 == 0 ? 40000 : 3000));
    std::vector<std::int32_t> lengths;
    for (std::uint64_t b = 0; b < 1 + (i % 5 == 0 ? 0 : random.below(12)); ++b)
      lengths.push_back(static_cast<std::int32_t>(1 + random.below(static_cast<std::uint64_t>(longest))));
    const BatchLimits whole{.sequences = std::ssize(lengths),
                            .tokens = std::ssize(lengths) * longest,
                            .longest = longest,
                            .labels = longest};
    const auto offsets = offsets_of(lengths);
    const auto cuts = sequence_cuts(model, offsets, ranks);
    const BatchLimits limits = span_limits(model, whole, ranks);
    ASSERT_EQ(std::ssize(cuts), ranks + 1);
    EXPECT_EQ(cuts.front(), 0);
    EXPECT_EQ(cuts.back(), offsets.back());
    for (std::size_t rank = 0; rank + 1 < cuts.size(); ++rank) {
      EXPECT_LE(cuts[rank], cuts[rank + 1]);
      EXPECT_LE(cuts[rank + 1] - cuts[rank], limits.tokens) << ranks << " ranks, longest " << longest;
    }
    EXPECT_LE(limits.tokens, whole.tokens);
    EXPECT_TRUE(limits.split);
  }
}

TEST(SequenceCuts, limits_shrink_with_the_ranks) {
  const BatchLimits whole{.sequences = 1, .tokens = 65536, .longest = 65536, .labels = 9830};
  EXPECT_EQ(span_limits(model_of(64), whole, 2).tokens, 32768);
  EXPECT_EQ(span_limits(model_of(64), whole, 4).tokens, 16384);
  EXPECT_EQ(span_limits(model_of(64), whole, 16).tokens, 4096);
  EXPECT_EQ(span_limits(model_of(64), whole, 16).labels, 4096);
}

TEST(SequenceCuts, what_cannot_be_split_is_refused_by_name) {
  ModelConfig model = model_of(64);
  check_sequence_ranks(model, 2);
  model.attention.kind = "longformer";
  EXPECT_THAT([&] { check_sequence_ranks(model, 2); },
              ThrowsMessage<InputError>(HasSubstr("`model.attention.kind` is longformer")));
  model = model_of(64);
  model.attention.pinv_init = PinvInit::kBatchMax;
  EXPECT_THAT([&] { check_sequence_ranks(model, 2); }, ThrowsMessage<InputError>(HasSubstr("batch_max")));
  model = model_of(64);
  model.padding = Padding::kHuggingFace;
  EXPECT_THAT([&] { check_sequence_ranks(model, 2); }, ThrowsMessage<InputError>(HasSubstr("huggingface")));
}

}  // namespace
}  // namespace nystrom
