#pragma once
// Reader of NVIDIA's BERT shards (DeepLearningExamples' create_pretraining_data): sequences that were
// truncated, padded and masked when the files were made.

#include <cstdint>
#include <string>
#include <vector>

#include "data/hdf5/chunk_cache.h"
#include "data/sample.h"

namespace nystrom {

/// One file. N sequences of at most S tokens, at most P of them masked; integers of any width.
class BertShardReader {
 public:
  BertShardReader(const std::string& path, ChunkCache* cache);

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::uint64_t sequences() const { return sequences_; }
  [[nodiscard]] std::uint64_t width() const { return width_; }        ///< S
  [[nodiscard]] std::uint64_t max_masked() const { return masked_; }  ///< P
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

}  // namespace nystrom
