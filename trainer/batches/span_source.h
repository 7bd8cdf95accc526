#pragma once
// Batch source of a group of ranks that share a batch: each rank's span of it.

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "trainer/batches/batch_source.h"

namespace nystrom {

/// The tokens [cuts[rank], cuts[rank + 1]) of a batch. Sequences without a token there are left out; the
/// label of a sequence stays with its first token (others have -1).
[[nodiscard]] HostBatch span_of(const HostBatch& batch, std::span<const std::int64_t> cuts, int rank);

struct SpanOptions {
  int rank = 0;  ///< in the group
  /// Where batches with these offsets [B + 1] are cut, [ranks + 1].
  std::function<std::vector<std::int64_t>(std::span<const std::int32_t>)> cuts;
  BatchLimits limits;  ///< of all spans
};

/// This rank's span of each micro-batch of `whole`, which gives all ranks of the group the same; a span may
/// be empty.
class SpanSource final : public BatchSource {
 public:
  SpanSource(std::unique_ptr<BatchSource> whole, SpanOptions options)
      : whole_(std::move(whole)), options_(std::move(options)) {}

  const StepBatch& read(std::int64_t index) override;
  [[nodiscard]] std::int64_t batches() const override { return whole_->batches(); }
  [[nodiscard]] BatchLimits limits() const override { return options_.limits; }
  [[nodiscard]] std::vector<std::pair<std::string, double>> epochs_of(std::int64_t batches) const override {
    return whole_->epochs_of(batches);
  }
  [[nodiscard]] std::vector<SampledCorpus> corpora() const override { return whole_->corpora(); }
  [[nodiscard]] std::vector<std::string> warnings() const override { return whole_->warnings(); }

 private:
  std::unique_ptr<BatchSource> whole_;
  SpanOptions options_;
  StepBatch batch_;
};

}  // namespace nystrom
