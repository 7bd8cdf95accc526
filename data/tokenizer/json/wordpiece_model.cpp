#include "data/tokenizer/json/wordpiece_model.h"

#include <unicode/normalizer2.h>
#include <unicode/unistr.h>

#include <array>

#include "data/text/unspaced.h"
#include "data/text/utf8.h"
#include "data/tokenizer/model/trie.h"
#include "data/tokenizer/model/unicode_classes.h"
#include "kernels/core/check.h"

namespace nystrom {
namespace {

enum class Class : std::uint8_t { kPlain, kUpper, kSpace, kAlone, kGone, kWide };

/// A word as it is looked up, and where its bytes come from.
struct Word {
  std::string text;
  std::size_t characters = 0;
  std::vector<std::uint32_t> begins, ends;  // of each byte, in the text; only if asked for
  void clear() {
    text.clear();
    characters = 0;
    begins.clear();
    ends.clear();
  }
};

class WordPieceModel final : public VocabularyModel {
 public:
  WordPieceModel(Vocabulary vocabulary, const WordPieceOptions& options, std::int32_t unknown)
      : VocabularyModel(std::move(vocabulary)), options_(options), unknown_(unknown) {
    UErrorCode status = U_ZERO_ERROR;
    nfd_ = icu::Normalizer2::getNFDInstance(status);
    if (U_FAILURE(status)) fail("ICU has no normal form D: {}.", u_errorName(status));
    for (std::int32_t id = 0; id < vocabulary_size(); ++id) {
      const auto& text = piece(id);
      if (text.empty() || this->vocabulary().is_outside(id)) continue;
      whole_.add(text, id);
      if (text.size() > options_.prefix.size() && text.starts_with(options_.prefix))
        inside_.add(std::string_view(text).substr(options_.prefix.size()), id);
    }
    for (std::size_t c = 0; c < 256; ++c) classes_.at(c) = class_of(static_cast<char32_t>(c));
  }

  [[nodiscard]] std::string_view kind() const override { return "wordpiece"; }

  void encode(std::string_view text, std::vector<std::int32_t>& ids) const override {
    Word word;
    scan<false>(text, word, [&](const Word& w) {
      cut(w, [&](std::int32_t id, std::size_t, std::size_t) { ids.push_back(id); });
    });
  }

  [[nodiscard]] std::vector<PieceSpan> encode_spans(std::string_view text) const override {
    std::vector<PieceSpan> spans;
    Word word;
    scan<true>(text, word, [&](const Word& w) {
      cut(w, [&](std::int32_t id, std::size_t begin, std::size_t end) {
        spans.push_back({id, w.begins[begin], w.ends[end - 1]});
      });
    });
    return spans;
  }

  [[nodiscard]] std::string decode(std::span<const std::int32_t> ids) const override {
    std::string text;
    for (const auto id : ids) {
      if (is_control(id)) continue;
      std::string_view part = piece(id);
      const bool inside = part.size() > options_.prefix.size() && part.starts_with(options_.prefix);
      if (inside) part.remove_prefix(options_.prefix.size());
      const bool closes =
          part.size() == 1 && std::string_view(".,!?").find(part.front()) != std::string_view::npos;
      if (!text.empty() && !inside && !closes) text += ' ';
      text += part;
    }
    return text;
  }

  [[nodiscard]] bool starts_word(std::int32_t id) const override {
    const std::string_view text = piece(id);
    return !text.starts_with(options_.prefix) || text.size() == options_.prefix.size() ||
           begins_unspaced_unit(text.substr(options_.prefix.size()));
  }

 private:
  [[nodiscard]] Class class_of(char32_t c) const {
    if (c >= 0x80) return Class::kWide;
    // Vertical tab and form feed are control characters first.
    if (is_space(c) && !(options_.clean && (c == 0x0B || c == 0x0C))) return Class::kSpace;
    if (options_.clean && is_other(c)) return Class::kGone;
    if (is_punctuation(c)) return Class::kAlone;
    return options_.lowercase && c >= 'A' && c <= 'Z' ? Class::kUpper : Class::kPlain;
  }
  template <bool spans, class F>
  void scan(std::string_view text, Word& word, const F& emit) const {
    const auto finish = [&] {
      if (!word.text.empty()) emit(word);
      word.clear();
    };
    for (std::size_t at = 0; at < text.size();) {
      const char byte = text[at];
      switch (classes_[static_cast<unsigned char>(byte)]) {
        case Class::kPlain:
          put<spans>(word, byte, at);
          break;
        case Class::kUpper:
          put<spans>(word, static_cast<char>(byte + 32), at);
          break;
        case Class::kSpace:
          finish();
          break;
        case Class::kAlone:
          finish();
          put<spans>(word, byte, at);
          finish();
          break;
        case Class::kGone:
          break;
        case Class::kWide: {
          const auto c = code_point_at(text, at);
          wide<spans>(c, at, word, finish);
          at += c.length;
          continue;
        }
      }
      ++at;
    }
    finish();
  }

  template <bool spans>
  static void put(Word& word, char byte, std::size_t at) {
    word.text += byte;
    ++word.characters;
    if constexpr (spans) {
      word.begins.push_back(static_cast<std::uint32_t>(at));
      word.ends.push_back(static_cast<std::uint32_t>(at + 1));
    }
  }

  template <bool spans, class F>
  void wide(CodePoint c, std::size_t at, Word& word, const F& finish) const {
    // (U+0085 is a control character and white space; the first counts.)
    if (options_.clean && (c.value == 0xFFFD || is_other(c.value))) return;
    if (is_space(c.value)) return finish();
    const bool ideograph = options_.ideographs && is_ideograph(c.value);
    if (ideograph) finish();
    if (options_.strip_accents) {
      icu::UnicodeString parts;
      if (nfd_->getDecomposition(static_cast<UChar32>(c.value), parts) != 0) {
        for (std::int32_t i = 0; i < parts.length(); i = parts.moveIndex32(i, 1))
          put_wide<spans>(static_cast<char32_t>(parts.char32At(i)), at, c.length, word, finish);
        if (ideograph) finish();
        return;
      }
    }
    put_wide<spans>(c.value, at, c.length, word, finish);
    if (ideograph) finish();
  }

  template <bool spans, class F>
  void put_wide(char32_t c, std::size_t at, std::size_t length, Word& word, const F& finish) const {
    if (options_.strip_accents && is_nonspacing_mark(c)) return;
    if (options_.lowercase && c == 0x130) {  // the one letter whose lower case is two code points
      put_wide<spans>('i', at, length, word, finish);
      return put_wide<spans>(0x307, at, length, word, finish);
    }
    if (options_.lowercase) c = to_lower(c);
    const bool alone = is_punctuation(c);
    if (alone) finish();
    append_utf8(word.text, c);
    ++word.characters;
    if constexpr (spans) {
      word.begins.resize(word.text.size(), static_cast<std::uint32_t>(at));
      word.ends.resize(word.text.size(), static_cast<std::uint32_t>(at + length));
    }
    if (alone) finish();
  }

  /// Calls emit(id, begin, end) for each piece of the word.
  template <class F>
  void cut(const Word& word, const F& emit) const {
    const std::string_view text = word.text;
    std::array<Cut, 128> few;
    std::vector<Cut> many;
    std::size_t count = 0;
    if (word.characters > options_.longest_word) return emit(unknown_, 0, text.size());
    for (std::size_t begin = 0; begin < text.size();) {
      const Trie& trie = begin == 0 ? whole_ : inside_;
      Cut best{Trie::kNone, begin, begin};
      std::int32_t node = Trie::kRoot;
      for (std::size_t i = begin; i < text.size(); ++i) {
        node = trie.child(node, text[i]);
        if (node == Trie::kNone) break;
        if (const auto id = trie.value(node); id != Trie::kNone) best = {id, begin, i + 1};
      }
      if (best.id == Trie::kNone) return emit(unknown_, 0, text.size());
      if (count < few.size())
        few[count] = best;
      else
        many.push_back(best);
      ++count;
      begin = best.end;
    }
    for (std::size_t i = 0; i < count; ++i) {
      const Cut& piece = i < few.size() ? few[i] : many[i - few.size()];
      emit(piece.id, piece.begin, piece.end);
    }
  }

  struct Cut {
    std::int32_t id;
    std::size_t begin, end;
  };

  WordPieceOptions options_;
  std::int32_t unknown_;
  Trie whole_, inside_;
  std::array<Class, 256> classes_{};
  const icu::Normalizer2* nfd_ = nullptr;
};

}  // namespace

std::unique_ptr<VocabularyModel> make_wordpiece(Vocabulary vocabulary, const WordPieceOptions& options,
                                                const std::string& origin) {
  const auto unknown = vocabulary.model_id_of(options.unknown);
  if (!unknown)
    refuse("{}: its vocabulary has no {}, which stands for unknown words.", origin, options.unknown);
  return std::make_unique<WordPieceModel>(std::move(vocabulary), options, *unknown);
}

}  // namespace nystrom
