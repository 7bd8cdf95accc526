#pragma once
// Our own encoder for SentencePiece models: the library's ids, several times as fast.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "data/tokenizer/model/tokenizer_model.h"
#include "data/tokenizer/model/trie.h"
#include "data/tokenizer/model/unigram_search.h"
#include "data/tokenizer/model/word_pieces.h"
#include "data/tokenizer/sentencepiece/model_proto.h"

namespace nystrom {

/// Text is rewritten by the model's rules (the longest at each position), blanks become U+2581, runs of them
/// one, each word is split into pieces: those of the largest sum of scores (unigram), or what remains when
/// neighbours were joined, the pair of the largest score first (BPE). What no piece spells is unk, neighbours
/// joined. Ids are those of sentencepiece 0.2, in cuts of all but equal sums too: sums are floats, added up
/// from the beginning of the text.
class SentencePieceEncoder {
 public:
  /// Null where the model is of another kind or asks for what this does not do: pieces that go over the
  /// beginning of a word, pieces declared by the user, scores that are not numbers, bytes for unknown
  /// characters, blanks at the ends of words or left as they are. Throws InputError where the rules are
  /// damaged.
  [[nodiscard]] static std::unique_ptr<const SentencePieceEncoder> make(const SentencePieceProto& model);
  SentencePieceEncoder(const SentencePieceEncoder&) = delete;
  SentencePieceEncoder& operator=(const SentencePieceEncoder&) = delete;

  /// Appends to `ids`. Any bytes; those that are not UTF-8 count as U+FFFD each.
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
  /// Pieces by their text, of a model of pairs; ranks by falling score, the same for the same score.
  struct Pairs {
    Trie pieces;
    std::vector<std::int32_t> ranks;  // by id
  };
  struct Piece {
    std::int32_t id;
    std::size_t begin, end;  // bytes of the normalized text
  };
  struct Workspace;
  class Rewriter;

  explicit SentencePieceEncoder(const SentencePieceProto& model);
  [[nodiscard]] bool stays_before_ascii(char byte) const;
  static UnigramSearch<float> search_of(const SentencePieceProto& model);
  static Pairs pairs_of(const SentencePieceProto& model);
  void normalize(std::string_view text, Normalized& out) const;
  template <class Emit>
  void cut_words(const std::string& text, Workspace& work, const Emit& emit) const;
  void cut_word(std::string_view word, float& sum, Workspace& work) const;
  static void merge(std::string_view word, const Pairs& pairs, std::vector<WordPiece>& pieces);
  [[nodiscard]] Workspace& workspace() const;

  Trie rules_;
  std::vector<std::string> replacements_;  // by the values of rules_
  bool plain_[256] = {};                   // bytes that no rule rewrites where ASCII comes next
  std::variant<UnigramSearch<float>, Pairs> pieces_;
  std::int32_t unknown_ = 0;
  bool prefix_ = true, single_blanks_ = true;
  std::uint64_t serial_;  // no two encoders have the same
};

}  // namespace nystrom
