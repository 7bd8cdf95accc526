#pragma once
// Lines of text through a trained encoder: masks filled by the language model, or lines turned into vectors.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "data/tokenizer/tokenizer.h"
#include "kernels/tensor/device.h"
#include "launch/models/model_source.h"
#include "model/network.h"

namespace nystrom {

struct Guess {
  std::int32_t id = 0;
  double probability = 0;
};

struct FilledLine {
  std::vector<std::vector<Guess>> masks;  ///< of each mask of the line, its guesses, best first
  bool truncated = false;                 ///< the line was longer than the model takes
};

/// A model with its tokenizer, ready for text. A line's answers depend on no other line.
class LinePredictor {
 public:
  /// Loads the model. Refuses a tokenizer with more tokens than the model has embeddings, and (`fills_masks`)
  /// a model without a head that fills masks.
  LinePredictor(const ModelSource& source, Tokenizer tokenizer, bool fills_masks, int threads = 0,
                DType precision = DType::kF32, Device device = {});

  /// For each line: `top` guesses for each `<mask>` (or `[MASK]`).
  std::vector<FilledLine> fill(const std::vector<std::string>& lines, std::int64_t top);

  struct Embedded {
    std::vector<float> values;  ///< [C] mean of the last hidden states over the line's tokens
    bool truncated = false;
  };
  std::vector<Embedded> embed(const std::vector<std::string>& lines);

  [[nodiscard]] const Tokenizer& tokenizer() const { return tokenizer_; }
  [[nodiscard]] const LoadNotes& notes() const { return notes_; }
  /// What a token stands for: its text, or its piece where it has none.
  [[nodiscard]] std::string text_of(std::int32_t id) const;

 private:
  struct Encoded {
    std::vector<std::int32_t> ids;
    bool truncated = false;
  };
  [[nodiscard]] Encoded encode(std::string line) const;
  /// Runs lines order[first, ...) as far as they fit one batch; gives how many.
  std::size_t run_batch(const std::vector<Encoded>& lines, std::span<const std::size_t> order);
  void guess(const std::vector<std::int32_t>& rows, std::int64_t top,
             std::vector<std::vector<Guess>>& guesses);

  Tokenizer tokenizer_;
  Device device_;
  Context context_;
  Network network_;
  BatchLimits limits_;
  BatchBuffer buffer_;
  LoadNotes notes_;
  Tensor hidden_;                      // of the last run_batch
  std::vector<std::int32_t> offsets_;  // of the last run_batch
  OwnedTensor rows_, logits_;
};

}  // namespace nystrom
