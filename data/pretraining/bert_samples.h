#pragma once
// NVIDIA's BERT shards (DeepLearningExamples' create_pretraining_data), read as they are: sequences that were
// cut, padded and masked when the files were made.

#include <cstdint>
#include <string>
#include <vector>

#include "data/hdf5/chunk_cache.h"
#include "data/pretraining/samples.h"
#include "data/shards/reader_pool.h"

namespace nystrom {

/// One file. N sequences of at most S tokens, at most P of them masked; integers of any width.
class BertShardReader {
 public:
  BertShardReader(const std::string& path, ChunkCache* cache);

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::uint64_t sequences() const { return sequences_; }
  [[nodiscard]] std::uint64_t width() const { return width_; }         ///< S
  [[nodiscard]] std::uint64_t most_masked() const { return masked_; }  ///< P
  [[nodiscard]] std::uint64_t stored_bytes() const { return stored_bytes_; }
  /// Rows that are decompressed together.
  [[nodiscard]] std::uint64_t block_rows() const { return input_ids_.block_rows(); }

  /// Sequence `row` without its padding, its labels in ascending positions; `next_sentence` as the file has
  /// it. Refuses, naming file and row, what cannot be: a mask that is not ones before zeros, a position
  /// outside the sequence or twice, an id that is not below `vocabulary_size`, a sequence longer than
  /// `sequence_length`.
  void read(std::uint64_t row, std::int64_t sequence_length, std::int64_t vocabulary_size, Sample& sample);

  void suspend();
  void resume();
  [[nodiscard]] bool is_open() const { return file_.is_open(); }

 private:
  void open();
  hdf5::Dataset open_dataset(const char* name, std::size_t rank);
  std::size_t read_length(std::uint64_t row);
  void read_labels(std::uint64_t row, std::int64_t vocabulary_size, Sample& sample);
  [[noreturn]] void bad_row(std::uint64_t row, const std::string& what) const;

  std::string path_;
  hdf5::File file_;
  std::uint64_t sequences_ = 0, width_ = 0, masked_ = 0, stored_bytes_ = 0;
  Column<std::int32_t> input_ids_;            // [N, S]
  Column<std::int8_t> input_mask_;            // [N, S]
  Column<std::int8_t> segment_ids_;           // [N, S]
  Column<std::int32_t> masked_lm_positions_;  // [N, P]
  Column<std::int32_t> masked_lm_ids_;        // [N, P]
  Column<std::int8_t> next_sentence_labels_;  // [N]
  std::vector<std::int8_t> mask_, types_;     // scratch
  std::vector<std::int32_t> positions_, labels_;
  std::vector<std::uint64_t> order_;
};

/// Every row of every file is one sample, the same in each epoch.
class BertSamples : public SampleSource {
 public:
  explicit BertSamples(const SampleOptions& options);

  [[nodiscard]] std::uint64_t samples() const override { return first_sample_.back(); }
  [[nodiscard]] std::int64_t tokens() const override { return tokens_; }
  [[nodiscard]] std::int64_t most_masked() const override { return most_masked_; }
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
  std::int64_t most_masked_ = 0;
  std::int64_t tokens_ = -1;
};

}  // namespace nystrom
