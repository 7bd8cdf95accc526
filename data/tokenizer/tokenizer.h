#pragma once
// Tokenizer: text to ids and back.
//
//   const Tokenizer tokenizer = Tokenizer::read("prepared/tokenizer.model");
//   std::vector<std::int32_t> ids = tokenizer.encode("One sentence.");
//
// A Tokenizer is a cheap handle to an immutable model: copy it, use it from any number of threads.

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/tokenizer/model/tokenizer_model.h"

namespace nystrom {

class Tokenizer {
 public:
  /// An empty handle; only assignment is allowed.
  Tokenizer() = default;

  /// Reads a SentencePiece `.model`, a `tokenizer.json` (WordPiece, byte-level BPE or unigram), a `.txt` of
  /// WordPiece's pieces, or `vocab.json` with `merges.txt` next to it. Throws InputError, naming the file, if
  /// it is none of these or lacks a special token.
  static Tokenizer read(const std::string& path, const SpecialNames& names = {});
  /// The same from memory, as checkpoints carry it; `origin` is named in messages.
  static Tokenizer from_bytes(std::string bytes, const std::string& origin, const SpecialNames& names = {});

  [[nodiscard]] bool empty() const { return state_ == nullptr; }

  /// Ids of a text, without special tokens: what is spelled like one (`</s>`) is encoded as text.
  [[nodiscard]] std::vector<std::int32_t> encode(std::string_view text) const;
  /// The same, appended to `ids`.
  void encode(std::string_view text, std::vector<std::int32_t>& ids) const;
  /// The same ids, with the bytes of the text that each stands for.
  [[nodiscard]] std::vector<PieceSpan> encode_spans(std::string_view text) const;
  /// As `encode`, but a special token's spelling in the text becomes its id: "It is <mask> today."
  /// Blanks before a mask are not encoded: they belong to the word that it replaces.
  [[nodiscard]] std::vector<std::int32_t> encode_marked(std::string_view text) const;
  /// Text of ids; special tokens are skipped.
  [[nodiscard]] std::string decode(std::span<const std::int32_t> ids) const;

  [[nodiscard]] std::int32_t vocabulary_size() const;
  [[nodiscard]] const SpecialIds& special() const;
  /// True for bos, pad, eos, unk, mask and for every other token that text never produces.
  [[nodiscard]] bool is_special(std::int32_t id) const;
  /// True if the token begins a word. Specials do, so that no word spans them. Precondition: a valid id.
  [[nodiscard]] bool starts_word(std::int32_t id) const;
  /// The piece's spelling, e.g. "▁the". Precondition: 0 <= id < vocabulary_size().
  [[nodiscard]] const std::string& piece(std::int32_t id) const;
  [[nodiscard]] std::optional<std::int32_t> id_of(std::string_view piece) const;

  /// "sentencepiece", "wordpiece", "byte-level bpe" or "unigram"
  [[nodiscard]] std::string_view kind() const;
  /// Is it a tokenizer.json? Else it is a SentencePiece model.
  [[nodiscard]] bool is_json() const;
  /// The model file, byte for byte (of a .txt or a vocab.json: the tokenizer.json made of it).
  [[nodiscard]] const std::string& bytes() const;
  /// SHA-256 of bytes(), in hexadecimal: the tokenizer's identity in shards and checkpoints.
  [[nodiscard]] const std::string& sha256() const;

 private:
  struct State;
  explicit Tokenizer(std::shared_ptr<const State> state) : state_(std::move(state)) {}
  std::shared_ptr<const State> state_;
};

}  // namespace nystrom
