#pragma once
// Interface of a kind of tokenizer: SentencePiece's models, those of a tokenizer.json.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/special_ids.h"

namespace nystrom {

/// How the special tokens are spelled. An empty name means: the usual spellings, `<s>` or `[CLS]`, `<pad>` or
/// `[PAD]`, `</s>` or `[SEP]`, `<unk>` or `[UNK]`, `<mask>` or `[MASK]`, or what the model itself declares.
struct SpecialNames {
  std::string bos, pad, eos, unk, mask;
  bool operator==(const SpecialNames&) const = default;
};

/// A token and the bytes [begin, end) of the text that it stands for; a blank before a word may belong to it.
struct PieceSpan {
  std::int32_t id = 0;
  std::int64_t begin = 0, end = 0;
};

/// The interface of a kind of tokenizer. Immutable and thread-safe.
class TokenizerModel {
 public:
  virtual ~TokenizerModel() = default;
  TokenizerModel() = default;
  TokenizerModel(const TokenizerModel&) = delete;
  TokenizerModel& operator=(const TokenizerModel&) = delete;

  [[nodiscard]] virtual std::string_view kind() const = 0;
  [[nodiscard]] virtual std::int32_t vocabulary_size() const = 0;
  [[nodiscard]] virtual const std::string& piece(std::int32_t id) const = 0;
  [[nodiscard]] virtual std::optional<std::int32_t> id_of(std::string_view piece) const = 0;
  /// Appends to `ids`.
  virtual void encode(std::string_view text, std::vector<std::int32_t>& ids) const = 0;
  /// The same ids, with the bytes of the text that each stands for.
  [[nodiscard]] virtual std::vector<PieceSpan> encode_spans(std::string_view text) const = 0;
  [[nodiscard]] virtual std::string decode(std::span<const std::int32_t> ids) const = 0;
  /// Does this piece begin a word? (In SentencePiece: it begins with U+2581.) In scripts without blanks each
  /// character does (data/text/unspaced.h).
  [[nodiscard]] virtual bool starts_word(std::int32_t id) const = 0;
  /// A token that text never produces.
  [[nodiscard]] virtual bool is_control(std::int32_t id) const = 0;
  [[nodiscard]] virtual SpecialIds special_ids(const SpecialNames& names,
                                               const std::string& origin) const = 0;
};

}  // namespace nystrom
