#include "trainer/batches/span_source.h"

#include <algorithm>

namespace nystrom {
namespace {

template <class T>
std::vector<T> slice(const std::vector<T>& values, std::int64_t begin, std::int64_t end) {
  return values.empty() ? values : std::vector<T>(values.begin() + begin, values.begin() + end);
}

}  // namespace

HostBatch span_of(const HostBatch& batch, std::span<const std::int64_t> cuts, int rank) {
  NYSTROM_CHECK(batch.sequence_ends.empty() && batch.sequence_values.empty(),
                "a span of a task's batch of {} sequences", batch.sequences());
  const std::int64_t begin = cuts[static_cast<std::size_t>(rank)],
                     end = cuts[static_cast<std::size_t>(rank) + 1];
  HostBatch span;
  span.cuts.assign(cuts.begin(), cuts.end());
  span.input_ids = slice(batch.input_ids, begin, end);
  span.token_type_ids = slice(batch.token_type_ids, begin, end);
  span.positions = slice(batch.positions, begin, end);
  span.offsets = {0};
  for (std::size_t b = 0; b < batch.lengths.size(); ++b) {
    const std::int64_t first = batch.offsets[b], last = batch.offsets[b + 1];
    const std::int64_t from = std::max(begin, first), to = std::min(end, last);
    if (from >= to) continue;
    span.offsets.push_back(static_cast<std::int32_t>(to - begin));
    span.lengths.push_back(static_cast<std::int32_t>(to - from));
    span.samples.push_back(batch.samples[b]);
    span.firsts.push_back(from - first);
    span.wholes.push_back(last - first);
    if (!batch.sequence_labels.empty())
      span.sequence_labels.push_back(from == first ? batch.sequence_labels[b] : -1);
  }
  for (std::size_t i = 0; i < batch.label_rows.size(); ++i) {
    if (batch.label_rows[i] < begin || batch.label_rows[i] >= end) continue;
    span.label_rows.push_back(static_cast<std::int32_t>(batch.label_rows[i] - begin));
    span.token_labels.push_back(batch.token_labels[i]);
  }
  return span;
}

const StepBatch& SpanSource::read(std::int64_t index) {
  batch_.micro_batches.clear();
  for (const HostBatch& whole : whole_->read(index).micro_batches)
    batch_.micro_batches.push_back(span_of(whole, options_.cuts(whole.offsets), options_.rank));
  return batch_;
}

}  // namespace nystrom
