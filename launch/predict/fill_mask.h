#pragma once
// Mask filling and sentence embeddings for lines of text.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "data/tokenizer/tokenizer.h"
#include "kernels/tensor/device.h"
#include "launch/models/model_source.h"
#include "model/compute_session.h"

namespace nystrom {

struct Guess {
  std::int32_t id = 0;
  double probability = 0;
};

struct FilledLine {
  std::vector<std::vector<Guess>> masks;  ///< per mask: predictions, best first
  bool truncated = false;                 ///< the line had more tokens than the model takes
};

/// What a vector is: the hidden states of the first token, or their mean or maximum; then its first `size`
/// components; then, if asked for, at length 1 (as sentence-transformers' truncate_dim and
/// normalize_embeddings have it).
struct EmbeddingForm {
  Pooling pooling = Pooling::kMean;
  std::int64_t size = 0;  ///< 0: all
  bool normalize = false;
};

/// A model with its tokenizer. A line's result does not depend on the other lines.
class LinePredictor {
 public:
  /// Loads the model. Refuses a tokenizer with more tokens than the model has embeddings, and (`fills_masks`)
  /// a model without a head that fills masks.
  LinePredictor(const ModelSource& source, Tokenizer tokenizer, bool fills_masks, int threads = 0,
                DType precision = DType::kF32, Device device = {});

  /// For each line: `top` predictions per `<mask>` (or `[MASK]`).
  std::vector<FilledLine> fill(const std::vector<std::string>& lines, std::int64_t top);

  struct Embedded {
    std::vector<float> values;  ///< [size] of the last hidden states over the line's tokens
    bool truncated = false;
  };
  std::vector<Embedded> embed(const std::vector<std::string>& lines, const EmbeddingForm& form);

  [[nodiscard]] const Tokenizer& tokenizer() const { return tokenizer_; }
  [[nodiscard]] const LoadNotes& notes() const { return notes_; }
  /// Text of a token, or its piece if it has none.
  [[nodiscard]] std::string text_of(std::int32_t id) const;

 private:
  struct Encoded {
    std::vector<std::int32_t> ids;
    bool truncated = false;
  };
  [[nodiscard]] Encoded encode(std::string line) const;
  /// Runs as many lines, in `order`, as fit one batch; returns their number.
  std::size_t run_batch(const std::vector<Encoded>& lines, std::span<const std::size_t> order);
  void guess(const std::vector<std::int32_t>& rows, std::int64_t top,
             std::vector<std::vector<Guess>>& guesses);

  Tokenizer tokenizer_;
  ComputeSession session_;
  LoadNotes notes_;
  Tensor hidden_;                      // of the last run_batch
  std::vector<std::int32_t> offsets_;  // of the last run_batch
  OwnedTensor rows_, logits_;
};

}  // namespace nystrom
