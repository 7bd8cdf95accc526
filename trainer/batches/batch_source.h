#pragma once
// Batch sources: the interface through which the trainer reads global batches, from shards or (in tests)
// memory.

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "data/batch.h"
#include "data/pretraining/mixture.h"
#include "model/layers/batch.h"

namespace nystrom {

class BatchSource {
 public:
  virtual ~BatchSource() = default;

  /// This rank's share of global batch `index` (counted from 0): a pure function of index. May be empty.
  /// Indices usually increase by one, so that a source can prefetch. Valid until the next call.
  virtual const StepBatch& read(std::int64_t index) = 0;

  /// Number of global batches (a validation set is finite); INT64_MAX: endless.
  [[nodiscard]] virtual std::int64_t batches() const { return INT64_MAX; }
  /// The largest micro-batch that read() gives.
  [[nodiscard]] virtual BatchLimits limits() const = 0;
  /// Epochs of each corpus in the first `batches` global batches; empty where unknown.
  [[nodiscard]] virtual std::vector<std::pair<std::string, double>> epochs_of(
      std::int64_t /*batches*/) const {
    return {};
  }
  /// The corpora of the samples; empty where unknown.
  [[nodiscard]] virtual std::vector<SampledCorpus> corpora() const { return {}; }
  /// Sentences for the log.
  [[nodiscard]] virtual std::vector<std::string> warnings() const { return {}; }
};

/// Limits that hold for both.
[[nodiscard]] BatchLimits joined(const BatchLimits& a, const BatchLimits& b);

/// What BatchBuffer::upload takes; views of `batch`.
[[nodiscard]] BatchArrays arrays_of(const HostBatch& batch);

}  // namespace nystrom
