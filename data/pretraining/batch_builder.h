#pragma once
// Builds a rank's share of any step's batch: the pure function behind the loader.

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "data/batch.h"
#include "data/pretraining/loader.h"
#include "data/pretraining/mixture.h"
#include "data/pretraining/permutation.h"
#include "data/pretraining/samples.h"

namespace nystrom {

/// Rows [first, second) of `rows` that rank `rank` of `ranks` gets: contiguous, differing by at most one.
[[nodiscard]] std::pair<std::int64_t, std::int64_t> rows_of_rank(std::int64_t rows, std::int64_t rank,
                                                                 std::int64_t ranks);

class BatchBuilder {
 public:
  explicit BatchBuilder(const LoaderOptions& options);

  /// Stops early, with a batch that means nothing, once `stop` is set.
  [[nodiscard]] StepBatch build(std::int64_t step, const std::atomic<bool>& stop);

  [[nodiscard]] const LoaderOptions& options() const { return options_; }
  [[nodiscard]] const BatchSizes& sizes() const { return sizes_; }
  [[nodiscard]] const SampleSource& source() const { return *source_; }
  [[nodiscard]] std::int64_t steps() const;  ///< of one pass; 0: endless
  /// Loader::epochs_of. May be called while another thread builds.
  [[nodiscard]] std::vector<std::pair<std::string, double>> epochs_of(std::int64_t samples) const;
  /// Loader::corpora. May be called while another thread builds.
  [[nodiscard]] std::vector<SampledCorpus> corpora() const;

 private:
  [[nodiscard]] std::uint64_t sample_at(std::uint64_t stream_index);
  void append(std::uint64_t stream_index, HostBatch& batch);

  LoaderOptions options_;
  BatchSizes sizes_;
  std::unique_ptr<SampleSource> source_;
  std::optional<Mixture> mixture_;
  std::optional<EpochOrder> order_;  // of epoch order_epoch_
  std::uint64_t order_epoch_ = 0;
  Sample sample_;  // scratch
};

}  // namespace nystrom
