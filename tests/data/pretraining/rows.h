#pragma once
// What a loader gave, a row a sequence.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "data/batch.h"
#include "data/pretraining/loader.h"
#include "shard_corpus.h"

namespace nystrom::testing {

struct Row {
  Sentence ids, types, positions, labels;
  std::int32_t sop = -1;
  std::int64_t sample = 0;
  bool operator==(const Row&) const = default;
};

inline void append_rows(const HostBatch& batch, std::vector<Row>& rows) {
  std::size_t masked = 0;
  for (std::size_t b = 0; b < batch.lengths.size(); ++b) {
    const std::int32_t begin = batch.offsets[b], end = batch.offsets[b + 1];
    Row row;
    row.ids.assign(batch.input_ids.begin() + begin, batch.input_ids.begin() + end);
    row.types.assign(batch.token_type_ids.begin() + begin, batch.token_type_ids.begin() + end);
    for (; masked < batch.label_rows.size() && batch.label_rows[masked] < end; ++masked) {
      row.positions.push_back(batch.label_rows[masked] - begin);
      row.labels.push_back(batch.token_labels[masked]);
    }
    row.sop = batch.sequence_labels[b];
    row.sample = batch.samples[b];
    rows.push_back(std::move(row));
  }
  EXPECT_EQ(masked, batch.token_labels.size());
}

inline std::vector<Row> rows_of(const StepBatch& step) {
  std::vector<Row> rows;
  for (const auto& batch : step.micro_batches) append_rows(batch, rows);
  return rows;
}

inline std::vector<Row> rows_of_steps(LoaderOptions options, std::int64_t steps) {
  Loader loader(options);
  std::vector<Row> rows;
  for (std::int64_t s = 0; s < steps; ++s)
    for (auto& row : rows_of(loader.next())) rows.push_back(std::move(row));
  return rows;
}

inline Sentence unmasked(const Row& row) {
  Sentence ids = row.ids;
  for (std::size_t i = 0; i < row.positions.size(); ++i)
    ids[static_cast<std::size_t>(row.positions[i])] = row.labels[i];
  return ids;
}

// The text of a row in the document's order, and the boundary between its segments (0: one segment).
inline std::pair<Sentence, std::size_t> text_of(const Row& row) {
  const Sentence ids = unmasked(row);
  EXPECT_EQ(ids.front(), 0);
  EXPECT_EQ(ids.back(), 2);
  const auto middle = std::find(ids.begin(), ids.end(), 2);
  Sentence a(ids.begin() + 1, middle), b;
  if (middle != ids.end() - 1) b.assign(middle + 1, ids.end() - 1);
  for (std::size_t i = 0; i < ids.size(); ++i)
    EXPECT_EQ(row.types[i], static_cast<std::ptrdiff_t>(i) > middle - ids.begin()) << i;
  if (row.sop == 1) std::swap(a, b);
  const std::size_t cut = b.empty() ? 0 : a.size();
  a.insert(a.end(), b.begin(), b.end());
  return {a, cut};
}

}  // namespace nystrom::testing
