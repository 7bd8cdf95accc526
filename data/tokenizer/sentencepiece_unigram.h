#pragma once
// SentencePiece's unigram models by code of our own: what the library does for the plain ones, several times
// as fast.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "data/tokenizer/model_proto.h"
#include "data/tokenizer/tokenizer.h"
#include "data/tokenizer/trie.h"

namespace nystrom {

/// Text is rewritten by the model's rules (the longest at each place), blanks become U+2581, runs of them
/// one, and each word is cut into the pieces of the largest sum of scores (Kudo, 2018). What no piece spells
/// is unk, neighbours joined.
/// Of cuts with equal sums the first found stays, sums taken in fp64 from the beginning of the word, as
/// `tokenizers` does. (The library adds floats up, whose rounding may choose otherwise: rarely in 0.2, more
/// often in 0.1.)
class SentencePieceUnigram {
 public:
  /// Null where the model is of another kind or asks for what this does not do: pieces that go over the
  /// beginning of a word, pieces declared by the user, bytes for unknown characters, blanks at the ends of
  /// words or left as they are. Throws InputError where the rules are damaged.
  [[nodiscard]] static std::unique_ptr<const SentencePieceUnigram> make(const SentencePieceProto& model);

  /// Appends to `ids`. Any bytes; those that are no UTF-8 count as U+FFFD each.
  void encode(std::string_view text, std::vector<std::int32_t>& ids) const;
  /// The same ids, each with the bytes of `text` that it stands for.
  [[nodiscard]] std::vector<PieceSpan> encode_spans(std::string_view text) const;

 private:
  struct Normalized {
    std::string text;
    bool aligned = false;
    std::vector<std::uint32_t> origins;  // of each byte of text, and of its end, if aligned
    void append(std::string_view bytes, std::size_t origin);
    void cut(std::size_t length);
  };
  struct Node;
  struct Piece {
    std::int32_t id;
    std::size_t begin, end;  // bytes of the normalized text
  };
  class Rewriter;

  explicit SentencePieceUnigram(const SentencePieceProto& model);
  void normalize(std::string_view text, Normalized& out) const;
  template <class Emit>
  void cut_words(const std::string& text, const Emit& emit) const;
  void best_path(std::string_view word, std::vector<Node>& nodes) const;

  Trie rules_, pieces_;
  std::vector<std::string> replacements_;  // by the values of rules_
  bool plain_[256] = {};                   // bytes that are a character which no rule begins with
  std::vector<double> scores_;             // by id
  double unknown_score_ = 0;
  std::int32_t unknown_ = 0;
  bool prefix_ = true, single_blanks_ = true;
};

}  // namespace nystrom
