#pragma once
// The size of each step's global batch (`training.batch_schedule`): the base's until the first stage, then
// that of the latest stage whose step has come. Steps count from 1. A pure function of the step, and so is
// the first sample of a step: F(s) = G(1) + ... + G(s - 1).

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

namespace nystrom {

/// Sequences of a global batch from this step on.
struct BatchStage {
  std::int64_t step = 0, global_batch = 0;
  bool operator==(const BatchStage&) const = default;
};

class BatchSizes {
 public:
  /// The stages' steps grow, from 2 on; sizes are at least 1.
  explicit BatchSizes(std::int64_t base, std::vector<BatchStage> stages = {})
      : base_(base), stages_(std::move(stages)) {}

  /// G(step)
  [[nodiscard]] std::int64_t of(std::int64_t step) const {
    std::int64_t size = base_;
    for (const BatchStage& stage : stages_)
      if (stage.step <= step) size = stage.global_batch;
    return size;
  }
  /// F(step): the number of samples of all steps before.
  [[nodiscard]] std::int64_t before(std::int64_t step) const {
    std::int64_t samples = 0, size = base_, from = 1;
    for (const BatchStage& stage : stages_) {
      if (stage.step >= step) break;
      samples += (stage.step - from) * size;
      from = stage.step;
      size = stage.global_batch;
    }
    return samples + (step - from) * size;
  }
  [[nodiscard]] std::int64_t largest() const {
    std::int64_t size = base_;
    for (const BatchStage& stage : stages_) size = std::max(size, stage.global_batch);
    return size;
  }

 private:
  std::int64_t base_;
  std::vector<BatchStage> stages_;
};

}  // namespace nystrom
