#pragma once
// Encoding of examples as token sequences: <s> A </s>, or <s> A </s> B </s> with token type 1 from B on.

#include <cstdint>
#include <string>
#include <vector>

#include "data/tokenizer/tokenizer.h"

namespace nystrom {

/// A token sequence and its labels; labels that a task does not use are empty or -1.
struct TaskSequence {
  std::vector<std::int32_t> ids;
  std::vector<std::int32_t> positions = {};  ///< ascending, of the tokens that are there; empty: 0, 1, 2, …
  std::int32_t second = 0;                   ///< tokens of type 0; the others have type 1
  std::int32_t label = -1;    ///< class; right choice (in a row's first sequence); first token of the answer
  std::int32_t end = -1;      ///< last token of the answer
  std::vector<float> values;  ///< numbers, or 0 and 1 for each of many labels
  std::vector<std::int32_t>
      label_rows;                    ///< tokens with a label, counted from the sequence's first, ascending
  std::vector<std::int32_t> labels;  ///< theirs; -1: to be predicted, but not known
};

struct EncodingCounts {
  std::int64_t sequences = 0;
  std::int64_t truncated = 0;    ///< sequences that were too long
  std::int64_t tokens_lost = 0;  ///< by truncation
};

class TextEncoder {
 public:
  /// max_length: tokens per sequence, including special ones. Refuses fewer than 8.
  TextEncoder(Tokenizer tokenizer, std::int64_t max_length);

  /// A text, truncated at its end.
  [[nodiscard]] TaskSequence single(const std::string& text, EncodingCounts& counts) const;
  /// A pair, truncated token by token from the end of the longer text (the second, if equal), as
  /// transformers' `longest_first`.
  [[nodiscard]] TaskSequence pair(const std::string& first, const std::string& second,
                                  EncodingCounts& counts) const;
  /// Words, encoded separately; label_rows holds the first token of each word that fits. A word without
  /// tokens becomes <unk>.
  [[nodiscard]] TaskSequence words(const std::vector<std::string>& words, EncodingCounts& counts) const;

  [[nodiscard]] const Tokenizer& tokenizer() const { return tokenizer_; }
  [[nodiscard]] std::int64_t max_length() const { return max_length_; }

 private:
  Tokenizer tokenizer_;
  std::int64_t max_length_;
};

/// <s> first </s> second </s>, not truncated.
[[nodiscard]] TaskSequence joined(const SpecialIds& special, std::span<const std::int32_t> first,
                                  std::span<const std::int32_t> second);

}  // namespace nystrom
