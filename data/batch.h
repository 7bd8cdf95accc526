#pragma once
// Host-side batches: what the loader hands to the trainer. Packed: no padding between sequences.

#include <algorithm>
#include <cstdint>
#include <vector>

namespace nystrom {

/// B sequences of T tokens in all, and their labels. Everything that the device computes on.
struct HostBatch {
  std::vector<std::int32_t> input_ids;       ///< [T]
  std::vector<std::int32_t> token_type_ids;  ///< [T]
  std::vector<std::int32_t> offsets;         ///< [B + 1], offsets[0] = 0
  std::vector<std::int32_t> lengths;  ///< [B] real tokens; fewer than the rows only with padding: huggingface
  std::vector<std::int64_t>
      samples;  ///< [B] key of the sequence's random draws: samples before it in the run
  std::vector<std::int32_t> label_rows;    ///< [P] packed index of each labelled token, ascending
  std::vector<std::int32_t> token_labels;  ///< [P] masked tokens, or classes of tagged words
  /// [B] sentence order (0 in order, 1 swapped), class, or first token of an answer; or [questions] choice.
  /// -1: no label.
  std::vector<std::int32_t> sequence_labels;
  std::vector<std::int32_t> sequence_ends = {};  ///< [B] last token of an answer
  std::vector<float> sequence_values = {};       ///< [B * numbers a sequence] targets of tasks; NaN: none
  std::vector<std::int32_t> positions = {};      ///< [T] ascending within a sequence; empty: its indexes
  /// Of one rank's span of a batch that a group of ranks shares: the tokens of the whole batch [cuts[r],
  /// cuts[r + 1]) are rank r's, and the sequences here are parts. [ranks + 1]; empty: the batch is whole.
  std::vector<std::int64_t> cuts = {};
  std::vector<std::int64_t> firsts = {};  ///< [B] the row of the whole sequence that is the first one here
  std::vector<std::int64_t> wholes = {};  ///< [B] rows of the whole sequence

  [[nodiscard]] std::int64_t sequences() const { return static_cast<std::int64_t>(lengths.size()); }
  /// Sequences whose first token is here.
  [[nodiscard]] std::int64_t begun() const {
    return cuts.empty() ? sequences() : std::ranges::count(firsts, 0);
  }
  [[nodiscard]] std::int64_t tokens() const { return static_cast<std::int64_t>(input_ids.size()); }
  [[nodiscard]] std::int64_t real_tokens() const {
    std::int64_t n = 0;
    for (auto length : lengths) n += length;
    return n;
  }
};

/// This rank's part of one step's global batch, split into micro-batches. May be empty.
struct StepBatch {
  std::vector<HostBatch> micro_batches;
};

}  // namespace nystrom
