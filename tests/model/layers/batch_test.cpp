#include "model/layers/batch.h"

#include <gtest/gtest.h>

#include "attention/thread_group.h"

namespace nystrom {
namespace {

/// A micro-batch of sequences of so many rows each; of a span also the rows of the whole sequences.
Sequences sequences_of(const std::vector<std::int32_t>& rows, const std::vector<std::int64_t>& wholes = {}) {
  std::vector<std::int32_t> offsets{0};
  for (const std::int32_t n : rows) offsets.push_back(offsets.back() + n);
  const std::vector<std::int32_t> ids(static_cast<std::size_t>(offsets.back()));
  const std::vector<std::int64_t> samples(rows.size()), firsts(wholes.size());
  const std::vector<std::int64_t> cuts =
      wholes.empty() ? std::vector<std::int64_t>{} : std::vector<std::int64_t>{0, offsets.back(), 100};
  testing::ThreadMail mail;
  testing::ThreadGroup group(mail, 0, 2);
  BatchBuffer buffer({.sequences = 8, .tokens = 64, .longest = 64}, Context(1), &group);
  return buffer
      .upload({.input_ids = ids,
               .token_type_ids = ids,
               .offsets = offsets,
               .lengths = rows,
               .samples = samples,
               .label_rows = {},
               .token_labels = {},
               .cuts = cuts,
               .firsts = firsts,
               .wholes = wholes})
      .sequences;
}

TEST(Batch, knows_the_rows_of_its_longest_and_shortest_sequence) {
  for (const std::vector<std::int32_t>& rows : {std::vector<std::int32_t>{7, 3, 9, 5}, {3, 9}, {9, 4, 3}}) {
    SCOPED_TRACE(::testing::PrintToString(rows));
    EXPECT_EQ(sequences_of(rows).longest, 9);
    EXPECT_EQ(sequences_of(rows).shortest, 3);
  }
  EXPECT_EQ(sequences_of({6}).shortest, 6);
  EXPECT_EQ(sequences_of({}).shortest, 0);
  EXPECT_EQ(sequences_of({6, 0}).shortest, 0);
}

TEST(Batch, counts_the_rows_of_whole_sequences_where_it_has_parts) {
  const Sequences sequences = sequences_of({7, 3}, {7, 50});
  EXPECT_EQ(sequences.longest, 50);
  EXPECT_EQ(sequences.shortest, 7);
}

}  // namespace
}  // namespace nystrom
