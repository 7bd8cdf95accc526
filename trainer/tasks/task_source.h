#pragma once
// Batch source of a task's training split. Every epoch visits each row once, in an order shuffled by (seed,
// epoch); its last global batch may be smaller.

#include "data/tasks/task.h"
#include "trainer/batches/batch_source.h"

namespace nystrom {

struct TaskSourceOptions {
  std::uint64_t seed = 1;
  std::int64_t global_batch = 32;  ///< rows per step, over all ranks
  std::int64_t micro_batch = 8;    ///< rows that a rank computes at once
  int rank = 0, ranks = 1;
};

/// Appends a sequence with its labels of tokens and its values; `sample` keys its random numbers. `to` has an
/// offset.
void append_sequence(const TaskSequence& sequence, std::int64_t sample, HostBatch& to);

/// Appends row `row` of a split; `sample` keys its random numbers.
void append_row(const TaskSplit& split, AnswerKind answer, std::int64_t row, std::int64_t sample,
                HostBatch& to);

/// Limits of any `rows` rows of a split.
[[nodiscard]] BatchLimits limits_of(const TaskSplit& split, std::int64_t rows);

/// Rows that make about 4,096 tokens where they are longest, at most `max_rows`.
[[nodiscard]] std::int64_t automatic_rows(const TaskSplit& split, std::int64_t max_rows);

class TaskSource final : public BatchSource {
 public:
  /// `split` must outlive it and have rows.
  TaskSource(const TaskSplit& split, AnswerKind answer, const TaskSourceOptions& options);

  const StepBatch& read(std::int64_t index) override;
  [[nodiscard]] BatchLimits limits() const override { return limits_of(split_, options_.micro_batch); }
  /// Global batches per epoch.
  [[nodiscard]] std::int64_t steps_per_epoch() const;

 private:
  const TaskSplit& split_;
  AnswerKind answer_;
  TaskSourceOptions options_;
  StepBatch batch_;
};

}  // namespace nystrom
