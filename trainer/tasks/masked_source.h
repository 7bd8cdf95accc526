#pragma once
// Batch source of self-pretraining (Amos et al., arXiv 2310.02980): the sequences of a task's own split, with
// tokens masked. Each epoch visits every sequence once, in an order shuffled by (seed, epoch). As in
// data/pretraining/loader.h, step s is sequences [(s - 1) G, s G) of a stream without end, and masks are
// keyed by the place in it (G: data/pretraining/batch_schedule.h): any number of ranks and any micro-batch
// see the same global batch.

#include <memory>
#include <vector>

#include "data/pretraining/batch_schedule.h"
#include "data/pretraining/masking.h"
#include "data/tasks/task.h"
#include "trainer/batches/batch_source.h"

namespace nystrom {

struct MaskedSourceOptions {
  std::shared_ptr<const TaskSplit> split;  ///< of a task with its own tokens; has rows
  Masking masking;                         ///< not of words
  std::int64_t vocabulary = 0;  ///< TaskInfo::vocabulary: the mask token is the id behind the task's
  std::uint64_t seed = 1;
  bool shuffle = true;
  std::int64_t global_batch = 32;               ///< sequences per step, over all ranks
  std::vector<BatchStage> batch_schedule = {};  ///< later sizes of it. Not with one_pass
  std::int64_t micro_batch = 8;                 ///< sequences that a rank computes at once
  int rank = 0, ranks = 1;
  bool one_pass = false;         ///< for evaluation: one epoch in order; the last step may be smaller
  std::int64_t max_batches = 0;  ///< with one_pass; 0: all
};

class MaskedSource final : public BatchSource {
 public:
  /// Refuses what Masker refuses.
  explicit MaskedSource(const MaskedSourceOptions& options);

  const StepBatch& read(std::int64_t index) override;
  [[nodiscard]] std::int64_t batches() const override;
  [[nodiscard]] BatchLimits limits() const override;
  [[nodiscard]] std::vector<std::pair<std::string, double>> epochs_of(std::int64_t batches) const override;
  [[nodiscard]] std::vector<SampledCorpus> corpora() const override {
    return {{options_.split->name(), 1.0, sequences()}};
  }

 private:
  [[nodiscard]] std::int64_t sequences() const {
    return static_cast<std::int64_t>(options_.split->sequence_count());
  }
  void append(std::int64_t stream_index, HostBatch& to);

  MaskedSourceOptions options_;
  BatchSizes sizes_;
  Masker masker_;
  StepBatch batch_;
};

/// Entropy of the tokens' frequencies in nats: the loss of a guess that sees none of the others.
[[nodiscard]] double unigram_entropy(const TaskSplit& split);

}  // namespace nystrom
