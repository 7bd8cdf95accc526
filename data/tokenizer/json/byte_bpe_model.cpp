#include "data/tokenizer/json/byte_bpe_model.h"

#include <algorithm>
#include <array>

#include "data/text/unspaced.h"
#include "data/text/utf8.h"
#include "data/tokenizer/model/unicode_classes.h"
#include "data/tokenizer/model/word_pieces.h"
#include "kernels/core/check.h"

namespace nystrom {
namespace {

/// The code points that GPT-2 spells bytes by: printable ones as themselves, the others from U+0100 on.
std::array<char32_t, 256> byte_letters() {
  std::array<char32_t, 256> letters{};
  char32_t next = 0x100;
  for (char32_t b = 0; b < 256; ++b) {
    const bool printable = (b >= '!' && b <= '~') || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
    letters.at(b) = printable ? b : next++;
  }
  return letters;
}

/// Bytes of a piece's spelling; nothing if it is spelled otherwise (a special token).
std::optional<std::string> bytes_of(std::string_view spelling) {
  static const auto kBytes = [] {
    std::array<int, 0x200> bytes{};
    bytes.fill(-1);
    const auto letters = byte_letters();
    for (std::size_t b = 0; b < letters.size(); ++b) bytes.at(letters.at(b)) = static_cast<int>(b);
    return bytes;
  }();
  std::string bytes;
  for (std::size_t at = 0; at < spelling.size();) {
    const auto c = code_point_at(spelling, at);
    if (c.value >= kBytes.size() || kBytes.at(c.value) < 0) return std::nullopt;
    bytes += static_cast<char>(kBytes.at(c.value));
    at += c.length;
  }
  return bytes;
}

/// Pairs of ids to rank and merged id, by open addressing.
class Merges {
 public:
  void reserve(std::size_t count) {
    std::size_t size = 16;
    while (size < count * 2) size *= 2;
    table_.assign(size, {});
  }
  void add(std::int32_t a, std::int32_t b, std::int32_t rank, std::int32_t id) {
    const auto pair = pair_of(a, b);
    auto at = slot(pair);
    while (table_[at].pair != kFree && table_[at].pair != pair) at = (at + 1) & (table_.size() - 1);
    table_[at] = {pair, {rank, id}};
  }
  [[nodiscard]] std::optional<PieceMerge> find(std::int32_t a, std::int32_t b) const {
    const auto pair = pair_of(a, b);
    for (auto at = slot(pair); table_[at].pair != kFree; at = (at + 1) & (table_.size() - 1)) {
      if (table_[at].pair == pair) return table_[at].merge;
    }
    return std::nullopt;
  }

 private:
  static constexpr std::uint64_t kFree = ~std::uint64_t{0};
  static std::uint64_t pair_of(std::int32_t a, std::int32_t b) {
    return static_cast<std::uint64_t>(static_cast<std::uint32_t>(a)) << 32U | static_cast<std::uint32_t>(b);
  }
  [[nodiscard]] std::size_t slot(std::uint64_t pair) const {
    return static_cast<std::size_t>((pair ^ pair >> 29U) * 0x9E3779B97F4A7C15U >> 24U) & (table_.size() - 1);
  }
  struct Slot {
    std::uint64_t pair = kFree;
    PieceMerge merge{};
  };
  std::vector<Slot> table_;
};

class ByteBpeModel final : public VocabularyModel {
 public:
  ByteBpeModel(Vocabulary vocabulary, const ByteBpeOptions& options, const std::string& origin)
      : VocabularyModel(std::move(vocabulary)), options_(options), letters_(byte_letters()) {
    bytes_.resize(static_cast<std::size_t>(vocabulary_size()));
    for (std::int32_t id = 0; id < vocabulary_size(); ++id) {
      auto bytes = this->vocabulary().is_outside(id) ? std::optional(piece(id)) : bytes_of(piece(id));
      if (bytes && !is_control(id)) bytes_[static_cast<std::size_t>(id)] = std::move(*bytes);
    }
    for (std::size_t b = 0; b < 256; ++b) {
      std::string spelling;
      append_utf8(spelling, letters_.at(b));
      first_.at(b) = this->vocabulary().model_id_of(spelling).value_or(-1);
    }
    if (!options.unknown.empty()) {
      const auto unknown = this->vocabulary().model_id_of(options.unknown);
      if (!unknown)
        refuse("{}: its vocabulary has no {}, which stands for unknown bytes.", origin, options.unknown);
      unknown_ = *unknown;
    }
    merges_.reserve(options.merges.size() + 1);
    for (std::size_t rank = 0; rank < options.merges.size(); ++rank) {
      const auto& [a, b] = options.merges[rank];
      const auto left = this->vocabulary().model_id_of(a), right = this->vocabulary().model_id_of(b);
      const auto merged = this->vocabulary().model_id_of(a + b);
      if (!left || !right || !merged)
        refuse("{}: its merge of \"{}\" and \"{}\" names pieces that its vocabulary does not have.", origin,
               a, b);
      if (!merges_.find(*left, *right)) merges_.add(*left, *right, static_cast<std::int32_t>(rank), *merged);
    }
    options_.merges.clear();
  }

  [[nodiscard]] std::string_view kind() const override { return "byte-level bpe"; }

  void encode(std::string_view text, std::vector<std::int32_t>& ids) const override {
    std::vector<WordPiece> symbols;
    for_each_word(text, [&](std::string_view word, std::size_t) {
      merge(word, symbols);
      for (const auto& symbol : symbols) ids.push_back(symbol.id);
    });
  }

  [[nodiscard]] std::vector<PieceSpan> encode_spans(std::string_view text) const override {
    std::vector<PieceSpan> spans;
    std::vector<WordPiece> symbols;
    const bool added = adds_blank(text);
    for_each_word(text, [&](std::string_view word, std::size_t begin) {
      merge(word, symbols);
      for (const auto& symbol : symbols) {
        // The blank that was added is not part of the text.
        const std::size_t shift = added ? 1 : 0;
        const auto clip = [shift](std::size_t at) {
          return static_cast<std::int64_t>(at - std::min(at, shift));
        };
        spans.push_back({symbol.id, clip(begin + symbol.begin), clip(begin + symbol.end)});
      }
    });
    return spans;
  }

  [[nodiscard]] std::string decode(std::span<const std::int32_t> ids) const override {
    std::string text;
    for (const auto id : ids) text += bytes_[static_cast<std::size_t>(id)];
    if (options_.add_prefix_space && text.starts_with(' ')) text.erase(0, 1);
    Repairs ignored;
    return repair_utf8(std::move(text), ignored);
  }

  [[nodiscard]] bool starts_word(std::int32_t id) const override {
    const std::string& bytes = bytes_[static_cast<std::size_t>(id)];
    return bytes.starts_with(' ') || begins_unspaced_unit(bytes);
  }

 private:
  [[nodiscard]] bool adds_blank(std::string_view text) const {
    return options_.add_prefix_space && !text.empty() && !text.starts_with(' ');
  }

  /// Calls f(word, begin) for each word; `begin` counts the blank that was added.
  template <class F>
  void for_each_word(std::string_view given, const F& f) const {
    std::string with_blank;
    std::string_view text = given;
    if (adds_blank(given)) text = with_blank = std::string(" ").append(given);
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = word_end(text, at);
      f(text.substr(at, end - at), at);
      at = end;
    }
  }

  enum class Kind : std::uint8_t { kSpace, kLetter, kNumber, kOther };
  static Kind kind_of(char32_t c) {
    if (is_letter(c)) return Kind::kLetter;
    if (is_space(c)) return Kind::kSpace;
    return is_number(c) ? Kind::kNumber : Kind::kOther;
  }

  /// 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
  static std::size_t word_end(std::string_view text, std::size_t at) {
    const auto rest = text.substr(at);
    if (rest.front() == '\'') {
      for (const std::string_view end : {"'s", "'t", "'re", "'ve", "'m", "'ll", "'d"}) {
        if (rest.starts_with(end)) return at + end.size();
      }
    }
    auto c = code_point_at(text, at);
    std::size_t i = at;
    Kind kind = kind_of(c.value);
    if (c.value == ' ' && at + 1 < text.size()) {
      if (const Kind next = kind_of(code_point_at(text, at + 1).value); next != Kind::kSpace) {
        kind = next;
        ++i;
      }
    }
    std::size_t last = i;  // where the last code point of the run begins
    while (i < text.size()) {
      c = code_point_at(text, i);
      if (kind_of(c.value) != kind) break;
      last = i;
      i += c.length;
    }
    // The last blank before a word belongs to that word (or stands alone).
    if (kind == Kind::kSpace && i < text.size() && last > at) return last;
    return i;
  }

  void merge(std::string_view word, std::vector<WordPiece>& symbols) const {
    symbols.clear();
    if (options_.ignore_merges) {
      std::string spelling;
      for (const char byte : word) append_utf8(spelling, letters_.at(static_cast<unsigned char>(byte)));
      if (const auto id = vocabulary().model_id_of(spelling))
        return symbols.push_back({*id, 0, static_cast<std::uint32_t>(word.size())});
    }
    for (std::size_t i = 0; i < word.size(); ++i) {
      const auto id = first_.at(static_cast<unsigned char>(word[i]));
      const auto begin = static_cast<std::uint32_t>(i);
      const bool joins = id < 0 && options_.fuse_unknown && !symbols.empty() &&
                         symbols.back().id == unknown_ && symbols.back().end == begin;
      if (joins)
        ++symbols.back().end;
      else if (id >= 0 || unknown_ >= 0)  // without an unknown token, such a byte is dropped
        symbols.push_back({id >= 0 ? id : unknown_, begin, begin + 1});
    }
    merge_pieces(symbols, [this](const WordPiece& left, const WordPiece& right) {
      return merges_.find(left.id, right.id);
    });
  }

  ByteBpeOptions options_;
  std::array<char32_t, 256> letters_;
  std::array<std::int32_t, 256> first_{};  // by byte
  std::int32_t unknown_ = -1;
  std::vector<std::string> bytes_;  // by id
  Merges merges_;
};

}  // namespace

std::unique_ptr<VocabularyModel> make_byte_bpe(Vocabulary vocabulary, const ByteBpeOptions& options,
                                               const std::string& origin) {
  return std::make_unique<ByteBpeModel>(std::move(vocabulary), options, origin);
}

}  // namespace nystrom
