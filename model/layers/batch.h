#pragma once
// Batch: one micro-batch, packed, as tensors. A BatchBuffer owns their memory, planned
// once for the largest micro-batch; views of the real sizes are made at each upload, which is one copy.

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "kernels/embedding.h"
#include "kernels/sequence_group.h"
#include "kernels/sequences.h"
#include "kernels/tensor/upload.h"

namespace nystrom {

/// The largest micro-batch that a network is planned for.
struct BatchLimits {
  std::int64_t sequences = 0;  ///< B
  std::int64_t tokens = 0;     ///< T
  std::int64_t longest = 0;    ///< rows of the longest sequence
  std::int64_t labels = 0;     ///< masked positions, or labelled rows of another head
  std::int64_t values = 1;     ///< numbers a sequence in sequence_values
  bool split = false;          ///< it may be a span of one that a group of ranks shares
};

inline constexpr std::size_t kMaxLosses = 2;

struct Batch {
  Sequences sequences;     ///< `longest`, `shortest`: rows of the whole ones, wherever they are
  SequenceSpans spans;     ///< where other ranks have parts of the sequences
  EmbeddingInputs inputs;  ///< of T tokens
  RowKeys token_keys;      ///< of T tokens, whose places in their (whole) sequences are their indexes
  RowKeys sequence_keys;   ///< of B sequences (position 0)
  RowKeys pair_keys;       ///< of B / 2 pairs: those of their first sequences
  Tensor first_rows;       ///< [B] int32: row of each sequence's first token here
  Tensor label_rows;       ///< [P] int32, ascending: rows that carry a token label
  Tensor token_labels;     ///< [P] int32: their labels
  Tensor sequence_labels;  ///< [B] int32, or one a question of B / questions sequences; negative: none
  Tensor sequence_ends;    ///< [B] int32: last token of the answer, of which sequence_labels has the first
  Tensor sequence_values;  ///< [B * labels] fp32: regression targets, or 0 and 1 of many labels; NaN: none
};

/// Host arrays of a micro-batch, as in data/batch.h; empty spans where a head needs none.
struct BatchArrays {
  std::span<const std::int32_t> input_ids, token_type_ids;  ///< [T]
  std::span<const std::int32_t> offsets;                    ///< [B + 1]
  std::span<const std::int32_t> lengths;                    ///< [B]
  std::span<const std::int64_t> samples;                    ///< [B]
  std::span<const std::int32_t> label_rows, token_labels;   ///< [P]
  std::span<const std::int32_t> sequence_labels = {};       ///< [B] or [questions]
  std::span<const std::int32_t> sequence_ends = {};         ///< [B]
  std::span<const float> sequence_values = {};              ///< [B * labels]
  /// [T] ascending within a sequence; empty: a token's index in its sequence.
  std::span<const std::int32_t> positions = {};
  /// Of a span of a batch that a group of ranks shares, as in kernels/sequence_group.h; empty: it is whole.
  std::span<const std::int64_t> cuts = {};                 ///< [ranks + 1]
  std::span<const std::int64_t> firsts = {}, wholes = {};  ///< [B]
};

class BatchBuffer {
 public:
  /// For ops of `context`: the views are of its memory. `group` shares batches that have cuts, and outlives
  /// this.
  explicit BatchBuffer(const BatchLimits& limits, const Context& context = Context(1),
                       SequenceGroup* group = nullptr);
  /// Copies the arrays in and returns views of them, valid until the next upload. Throws InternalError if
  /// they exceed the limits or disagree with each other.
  const Batch& upload(const BatchArrays& arrays);

 private:
  /// Where an array is in the block that is uploaded at once.
  struct Place {
    DType dtype = DType::kI32;
    std::int64_t most = 0;  // elements
    std::size_t offset = 0;
  };
  Place place(DType dtype, std::int64_t most);
  template <class T>
  Tensor put(const Place& place, std::span<const T> values);
  void take_spans(const BatchArrays& arrays);

  std::size_t bytes_ = 0;  // of the block
  Place input_ids_, token_types_, indexes_, positions_, token_samples_;
  Place offsets_, lengths_, samples_, pair_samples_, zeros_, first_rows_, sequence_labels_, sequence_ends_,
      sequence_values_;
  Place label_rows_, token_labels_;
  std::unique_ptr<Upload> upload_;
  std::byte* filling_ = nullptr;  // the host's block of this upload
  SequenceGroup* group_;
  std::vector<std::int64_t> cuts_, firsts_, wholes_;
  Batch batch_;
};

}  // namespace nystrom
