#include "trainer/tasks/task_source.h"

#include <algorithm>
#include <functional>

#include "data/pretraining/permutation.h"
#include "trainer/batches/micro_batch.h"
#include "trainer/tasks/answers.h"

namespace nystrom {
namespace {

std::span<const TaskSequence> sequences_of(const TaskSplit& split, std::int64_t row) {
  const auto choices = static_cast<std::size_t>(split.choices());
  return std::span(split.sequences()).subspan(static_cast<std::size_t>(row) * choices, choices);
}

template <class Size>
std::vector<std::int64_t> sizes_of(const TaskSplit& split, const Size& size) {
  std::vector<std::int64_t> sizes;
  for (std::int64_t row = 0; row < split.rows(); ++row) {
    std::int64_t sum = 0;
    for (const auto& sequence : sequences_of(split, row)) sum += static_cast<std::int64_t>(size(sequence));
    sizes.push_back(sum);
  }
  return sizes;
}

std::int64_t sum_of_largest(std::vector<std::int64_t> sizes, std::int64_t count) {
  std::ranges::sort(sizes, std::greater{});
  sizes.resize(static_cast<std::size_t>(std::min<std::int64_t>(count, std::ssize(sizes))));
  std::int64_t sum = 0;
  for (const std::int64_t size : sizes) sum += size;
  return sum;
}

void append_sequence(const TaskSequence& sequence, std::int64_t sample, HostBatch& to) {
  const auto base = static_cast<std::int32_t>(to.input_ids.size());
  const auto length = static_cast<std::int32_t>(sequence.ids.size());
  to.input_ids.insert(to.input_ids.end(), sequence.ids.begin(), sequence.ids.end());
  for (std::int32_t t = 0; t < length; ++t) to.token_type_ids.push_back(t < sequence.second ? 0 : 1);
  to.offsets.push_back(base + length);
  to.lengths.push_back(length);
  to.samples.push_back(sample);
  for (const std::int32_t row : sequence.label_rows) to.label_rows.push_back(base + row);
  to.token_labels.insert(to.token_labels.end(), sequence.labels.begin(), sequence.labels.end());
  to.sequence_values.insert(to.sequence_values.end(), sequence.values.begin(), sequence.values.end());
}

}  // namespace

void append_row(const TaskSplit& split, AnswerKind answer, std::int64_t row, std::int64_t sample,
                HostBatch& to) {
  if (to.offsets.empty()) to.offsets.push_back(0);
  const auto sequences = sequences_of(split, row);
  const auto append_labels = entry_of(answer).append_labels;
  for (std::size_t c = 0; c < sequences.size(); ++c) {
    append_sequence(sequences[c], sample * split.choices() + static_cast<std::int64_t>(c), to);
    if (append_labels != nullptr) append_labels(sequences[c], c, to);
  }
}

BatchLimits limits_of(const TaskSplit& split, std::int64_t rows) {
  BatchLimits limits{
      .sequences = std::min(rows, split.rows()) * split.choices(),
      .tokens = sum_of_largest(sizes_of(split, [](const auto& s) { return s.ids.size(); }), rows),
      .longest = 0,
      .labels = sum_of_largest(sizes_of(split, [](const auto& s) { return s.labels.size(); }), rows),
      .values = 1};
  for (const auto& sequence : split.sequences()) {
    limits.longest = std::max(limits.longest, static_cast<std::int64_t>(sequence.ids.size()));
    limits.values = std::max(limits.values, static_cast<std::int64_t>(sequence.values.size()));
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
