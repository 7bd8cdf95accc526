#pragma once
// Batches for the training loop, in an order that is a pure function of the seed.
//
//   Loader loader({.samples = {.shards = paths}, .rank = r, .ranks = n});
//   loader.seek(step);                  // O(1): a resume costs nothing
//   StepBatch batch = loader.next();    // this rank's part of that step
//
// The run's stream of samples has no end: sample g is in epoch g / N (N samples each) at position g % N of
// the epoch's order: a permutation of (seed, epoch) if shuffled, else the order of the files. Step s (from 1)
// is samples [(s - 1) G, s G) of the stream, or with a batch schedule the next G(s)
// (data/pretraining/batch_schedule.h). With a mixture the stream is Mixture's instead. Its rows are sharded
// across ranks in contiguous parts, the first ranks getting one more where they do not divide (8 rows on 3
// ranks: 3, 3, 2), then split into micro-batches. All draws (masks, sentence order) are keyed by g, so they
// are new in each epoch and do not depend on ranks, micro-batches or resumes.

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "data/batch.h"
#include "data/pretraining/batch_schedule.h"
#include "data/pretraining/samples.h"
#include "kernels/core/trace.h"

namespace nystrom {

struct LoaderOptions {
  SampleOptions samples = {};
  std::vector<MixtureWeight> mixture = {};  ///< empty: every corpus by its size. Not with one_pass
  bool shuffle = true;
  std::int64_t global_batch = 256;              ///< sequences over all ranks
  std::vector<BatchStage> batch_schedule = {};  ///< later sizes of it. Not with one_pass
  std::int64_t micro_batch = 8;                 ///< sequences computed at once
  std::int64_t rank = 0, ranks = 1;
  bool pad_to_length = false;  ///< `padding: huggingface`: rows filled with the pad id up to sequence_length
  bool one_pass = false;  ///< for evaluation: the stream ends after one epoch; the last step may be smaller
  std::int64_t max_steps = 0;  ///< with one_pass: maximum number of steps; 0: all
  std::int64_t prefetch = 2;   ///< steps prepared ahead by a thread; 0: no thread
  Trace* trace = nullptr;      ///< where the thread's work is recorded, if anywhere; outlives the loader
};

/// Bounds of every micro-batch, to plan by.
struct LoaderLimits {
  std::int64_t sequences = 0;  ///< B
  std::int64_t tokens = 0;     ///< T
  std::int64_t masked = 0;     ///< P
};

/// Errors in the shards are InputErrors: at construction if they can be seen then, otherwise from
/// the `next` whose step meets it. One thread uses a Loader.
class Loader {
 public:
  explicit Loader(const LoaderOptions& options);
  ~Loader();
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  /// The next step's part of this rank; no micro-batches if the rank has no row of it. After an error every
  /// further call throws it again, until `seek`. Precondition: with one_pass, step() <= steps().
  [[nodiscard]] StepBatch next();
  /// Makes `step` (>= 1) the one that `next` returns.
  void seek(std::int64_t step);
  /// The step that `next` will return.
  [[nodiscard]] std::int64_t step() const;
  /// With one_pass: the number of steps; else 0.
  [[nodiscard]] std::int64_t steps() const;

  [[nodiscard]] std::int64_t samples_per_epoch() const;
  /// Real tokens of an epoch, special ones included; -1 where they differ from epoch to epoch
  /// (PairStyle::kOriginal), and where counting them would mean reading everything (NVIDIA's shards beyond
  /// SampleOptions::verify_bytes).
  [[nodiscard]] std::int64_t tokens_per_epoch() const;
  /// By corpus, how often the stream's first `samples` hold all of it (with a mixture: by its share). Nothing
  /// for shards that name no corpora.
  [[nodiscard]] std::vector<std::pair<std::string, double>> epochs_of(std::int64_t samples) const;
  [[nodiscard]] std::vector<SampledCorpus> corpora() const;
  [[nodiscard]] LoaderLimits limits() const;
  /// Header of the first shard (tokenizer, vocabulary, special ids); nullptr for NVIDIA's.
  [[nodiscard]] const ShardHeader* header() const;
  /// Sentences for the log.
  [[nodiscard]] const std::vector<std::string>& warnings() const;

 private:
  class Producer;
  std::unique_ptr<Producer> producer_;
};

}  // namespace nystrom
