#include "trainer/batches/span_source.h"

#include <gtest/gtest.h>

namespace nystrom {
namespace {

using Ids = std::vector<std::int32_t>;
using Rows = std::vector<std::int64_t>;

/// Sequences of 3, 1 and 4 tokens.
HostBatch batch() {
  return {.input_ids = {10, 11, 12, 20, 30, 31, 32, 33},
          .token_type_ids = {0, 0, 1, 0, 0, 0, 1, 1},
          .offsets = {0, 3, 4, 8},
          .lengths = {3, 1, 4},
          .samples = {100, 200, 300},
          .label_rows = {1, 2, 4, 7},
          .token_labels = {91, 92, 94, 97},
          .sequence_labels = {1, 0, 1}};
}

TEST(SpanOf, cuts_sequences_and_keeps_what_belongs_to_its_tokens) {
  const Rows cuts{0, 2, 6, 8};
  const HostBatch first = span_of(batch(), cuts, 0), second = span_of(batch(), cuts, 1),
                  last = span_of(batch(), cuts, 2);
  EXPECT_EQ(first.input_ids, (Ids{10, 11}));
  EXPECT_EQ(first.offsets, (Ids{0, 2}));
  EXPECT_EQ(first.sequence_labels, Ids{1});
  EXPECT_EQ(first.label_rows, Ids{1});
  EXPECT_EQ(first.cuts, cuts);

  EXPECT_EQ(second.input_ids, (Ids{12, 20, 30, 31}));
  EXPECT_EQ(second.token_type_ids, (Ids{1, 0, 0, 0}));
  EXPECT_EQ(second.offsets, (Ids{0, 1, 2, 4}));
  EXPECT_EQ(second.lengths, (Ids{1, 1, 2}));
  EXPECT_EQ(second.samples, (Rows{100, 200, 300}));
  EXPECT_EQ(second.firsts, (Rows{2, 0, 0}));
  EXPECT_EQ(second.wholes, (Rows{3, 1, 4}));
  EXPECT_EQ(second.label_rows, (Ids{0, 2}));
  EXPECT_EQ(second.token_labels, (Ids{92, 94}));
  EXPECT_EQ(second.sequence_labels, (Ids{-1, 0, 1})) << "the label stays with the first token";

  EXPECT_EQ(last.input_ids, (Ids{32, 33}));
  EXPECT_EQ(last.firsts, Rows{2});
  EXPECT_EQ(last.label_rows, Ids{1});
  EXPECT_EQ(last.sequence_labels, Ids{-1});
  EXPECT_EQ(first.begun() + second.begun() + last.begun(), 3);
}

TEST(SpanOf, may_be_empty) {
  const HostBatch span = span_of(batch(), Rows{0, 8, 8}, 1);
  EXPECT_EQ(span.tokens(), 0);
  EXPECT_EQ(span.sequences(), 0);
  EXPECT_EQ(span.begun(), 0);
  EXPECT_EQ(span.offsets, Ids{0});
}

}  // namespace
}  // namespace nystrom
