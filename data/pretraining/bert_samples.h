#pragma once
// Samples of NVIDIA's BERT shards, unchanged.

#include <cstdint>
#include <string>
#include <vector>

#include "data/hdf5/chunk_cache.h"
#include "data/pretraining/samples.h"
#include "data/shards/bert_shard_reader.h"
#include "data/shards/reader_pool.h"

namespace nystrom {

/// Every row of every file is one sample, the same in each epoch.
class BertSamples : public SampleSource {
 public:
  explicit BertSamples(const SampleOptions& options);

  [[nodiscard]] std::uint64_t samples() const override { return first_sample_.back(); }
  [[nodiscard]] std::int64_t tokens() const override { return tokens_; }
  [[nodiscard]] std::int64_t max_masked() const override { return max_masked_; }
  [[nodiscard]] const ShardHeader* header() const override { return nullptr; }
  [[nodiscard]] Blocks blocks() const override;
  [[nodiscard]] std::vector<std::string> warnings() const override;
  void read(std::uint64_t index, std::uint64_t key, Sample& sample) override;

 private:
  /// Decoded rows that are shuffled among each other at a time. A constant, since the order depends on it.
  static constexpr std::uint64_t kWindowBytes = std::uint64_t{3} << 24U;

  void read_through(const SampleOptions& options);

  std::int64_t sequence_length_, vocabulary_size_;
  bool labels_;  // take next_sentence_labels as SOP labels
  ChunkCache cache_;
  ReaderPool<BertShardReader> shards_;
  std::vector<std::uint64_t> first_sample_;  // by shard, and the total
  std::int64_t max_masked_ = 0;
  std::int64_t tokens_ = -1;
};

}  // namespace nystrom
