#include "trainer/tasks/task_source.h"

#include <algorithm>
#include <functional>
#include <numeric>

#include "data/pretraining/permutation.h"
#include "trainer/batches/micro_batch.h"
#include "trainer/tasks/answers.h"

namespace nystrom {
namespace {

/// What each row takes, summed over its sequences.
std::vector<SequenceSize> row_sizes(const TaskSplit& split) {
  std::vector<SequenceSize> rows(static_cast<std::size_t>(split.rows()));
  for (std::size_t i = 0; i < split.sequence_count(); ++i) {
    const SequenceSize size = split.size_of(i);
    SequenceSize& row = rows[i / static_cast<std::size_t>(split.choices())];
    row.tokens += size.tokens;
    row.labels += size.labels;
  }
  return rows;
}

std::int64_t sum_of_largest(const std::vector<SequenceSize>& rows, std::int64_t SequenceSize::*what,
                            std::int64_t count) {
  std::vector<std::int64_t> sizes;
  for (const SequenceSize& row : rows) sizes.push_back(row.*what);
  std::ranges::sort(sizes, std::greater{});
  sizes.resize(static_cast<std::size_t>(std::min<std::int64_t>(count, std::ssize(sizes))));
  return std::accumulate(sizes.begin(), sizes.end(), std::int64_t{0});
}

}  // namespace

void append_sequence(const TaskSequence& sequence, std::int64_t sample, HostBatch& to) {
  const auto base = static_cast<std::int32_t>(to.input_ids.size());
  const auto length = static_cast<std::int32_t>(sequence.ids.size());
  to.input_ids.insert(to.input_ids.end(), sequence.ids.begin(), sequence.ids.end());
  for (std::int32_t t = 0; t < length; ++t) to.token_type_ids.push_back(t < sequence.second ? 0 : 1);
  to.positions.insert(to.positions.end(), sequence.positions.begin(), sequence.positions.end());
  to.offsets.push_back(base + length);
  to.lengths.push_back(length);
  to.samples.push_back(sample);
  for (const std::int32_t row : sequence.label_rows) to.label_rows.push_back(base + row);
  to.token_labels.insert(to.token_labels.end(), sequence.labels.begin(), sequence.labels.end());
  to.sequence_values.insert(to.sequence_values.end(), sequence.values.begin(), sequence.values.end());
}

void append_row(const TaskSplit& split, AnswerKind answer, std::int64_t row, std::int64_t sample,
                HostBatch& to) {
  if (to.offsets.empty()) to.offsets.push_back(0);
  const auto append_labels = entry_of(answer).append_labels;
  for (std::int64_t c = 0; c < split.choices(); ++c) {
    const TaskSequence sequence = split.sequence(static_cast<std::size_t>(row * split.choices() + c));
    append_sequence(sequence, sample * split.choices() + c, to);
    if (append_labels != nullptr) append_labels(sequence, static_cast<std::size_t>(c), to);
  }
}

BatchLimits limits_of(const TaskSplit& split, std::int64_t rows) {
  const std::vector<SequenceSize> sizes = row_sizes(split);
  BatchLimits limits{.sequences = std::min(rows, split.rows()) * split.choices(),
                     .tokens = sum_of_largest(sizes, &SequenceSize::tokens, rows),
                     .longest = 0,
                     .labels = sum_of_largest(sizes, &SequenceSize::labels, rows),
                     .values = 1};
  for (std::size_t i = 0; i < split.sequence_count(); ++i) {
    const SequenceSize size = split.size_of(i);
    limits.longest = std::max(limits.longest, size.tokens);
    limits.values = std::max(limits.values, size.values);
  }
  return limits;
}

std::int64_t automatic_rows(const TaskSplit& split, std::int64_t max_rows) {
  const std::int64_t longest = limits_of(split, 1).tokens;
  return std::clamp<std::int64_t>(kTokensAtOnce / std::max<std::int64_t>(longest, 1), 1,
                                  std::max<std::int64_t>(max_rows, 1));
}

TaskSource::TaskSource(const TaskSplit& split, AnswerKind answer, const TaskSourceOptions& options)
    : split_(split), answer_(answer), options_(options) {
  NYSTROM_CHECK(split.rows() > 0 && options.global_batch > 0 && options.micro_batch > 0,
                "{} rows in batches of {} and {}", split.rows(), options.global_batch, options.micro_batch);
}

std::int64_t TaskSource::steps_per_epoch() const {
  return (split_.rows() + options_.global_batch - 1) / options_.global_batch;
}

const StepBatch& TaskSource::read(std::int64_t index) {
  const std::int64_t steps = steps_per_epoch(), epoch = index / steps, rows = split_.rows();
  const std::int64_t begin = index % steps * options_.global_batch;
  const std::int64_t count = std::min(options_.global_batch, rows - begin);
  const std::int64_t first = begin + count * options_.rank / options_.ranks;
  const std::int64_t last = begin + count * (options_.rank + 1) / options_.ranks;
  const Permutation order(options_.seed, static_cast<std::uint64_t>(epoch), static_cast<std::uint64_t>(rows));
  batch_.micro_batches.clear();
  for (std::int64_t at = first; at < last; ++at) {
    if ((at - first) % options_.micro_batch == 0) batch_.micro_batches.emplace_back();
    const auto row = static_cast<std::int64_t>(order(static_cast<std::uint64_t>(at)));
    append_row(split_, answer_, row, epoch * rows + at, batch_.micro_batches.back());
  }
  return batch_;
}

}  // namespace nystrom
