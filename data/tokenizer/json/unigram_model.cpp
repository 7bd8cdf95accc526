#include "data/tokenizer/json/unigram_model.h"

#include <algorithm>

#include "data/text/unspaced.h"
#include "data/text/utf8.h"
#include "data/tokenizer/json/normalizer.h"
#include "data/tokenizer/model/unicode_classes.h"
#include "data/tokenizer/model/unigram_search.h"
#include "kernels/core/check.h"

namespace nystrom {
namespace {

class UnigramModel final : public VocabularyModel {
 public:
  UnigramModel(Vocabulary vocabulary, UnigramOptions options, const std::string& origin)
      : VocabularyModel(std::move(vocabulary)),
        options_(std::move(options)),
        normalizer_(options_.normalizer, origin) {
    for (std::int32_t id = 0; id < vocabulary_size(); ++id) {
      const auto& text = piece(id);
      if (text.empty() || static_cast<std::size_t>(id) >= options_.scores.size()) continue;
      search_.add(text, id, options_.scores[static_cast<std::size_t>(id)]);
    }
    if (!options_.byte_fallback) return;
    for (int b = 0; b < 256; ++b)
      bytes_.push_back(this->vocabulary().model_id_of(fmt::format("<0x{:02X}>", b)).value_or(-1));
  }

  [[nodiscard]] std::string_view kind() const override { return "unigram"; }

  void encode(std::string_view text, std::vector<std::int32_t>& ids) const override {
    append_ids(text, true, ids);
  }
  void encode_rest(std::string_view text, std::vector<std::int32_t>& ids) const override {
    append_ids(text, false, ids);
  }

  [[nodiscard]] std::vector<PieceSpan> encode_spans(std::string_view text) const override {
    return spans_of(text, true);
  }
  [[nodiscard]] std::vector<PieceSpan> encode_rest_spans(std::string_view text) const override {
    return spans_of(text, false);
  }

  [[nodiscard]] std::string decode(std::span<const std::int32_t> ids) const override {
    std::string text;
    for (const auto id : ids) {
      if (is_control(id)) continue;
      const auto byte = std::find(bytes_.begin(), bytes_.end(), id);
      if (byte != bytes_.end())
        text += static_cast<char>(byte - bytes_.begin());
      else
        text += piece(id);
    }
    std::string plain;
    for (std::size_t at = 0; at < text.size();) {
      const bool blank = text.compare(at, options_.blank.size(), options_.blank) == 0;
      plain += blank ? ' ' : text[at];
      at += blank ? options_.blank.size() : 1;
    }
    text = std::move(plain);
    if (options_.prefix != UnigramOptions::Prefix::kNever && text.starts_with(' ')) text.erase(0, 1);
    Repairs ignored;
    return repair_utf8(std::move(text), ignored);
  }

  [[nodiscard]] bool starts_word(std::int32_t id) const override {
    return piece(id).starts_with(options_.blank) || begins_unspaced_unit(piece(id));
  }

 private:
  void append_ids(std::string_view text, bool first, std::vector<std::int32_t>& ids) const {
    run(text, first, false,
        [&](const AlignedText&, std::int32_t id, std::size_t, std::size_t) { ids.push_back(id); });
  }
  [[nodiscard]] std::vector<PieceSpan> spans_of(std::string_view text, bool first) const {
    std::vector<PieceSpan> spans;
    run(text, first, true, [&](const AlignedText& t, std::int32_t id, std::size_t begin, std::size_t end) {
      spans.push_back({id, t.begin(begin), t.end(end - 1)});
    });
    return spans;
  }

  /// `first`: the text begins here, so that its first word may get a mark.
  template <class F>
  void run(std::string_view given, bool first, bool aligned, const F& emit) const {
    AlignedText text(given, aligned);
    normalizer_.apply(text);
    std::vector<std::size_t> begins{0};
    if (options_.split_white_space)
      begins = join_words(text, first);
    else
      mark_blanks(text, first);
    const std::string& all = text.text();
    std::size_t next = 0;  // of begins
    std::vector<UnigramSearch<double>::Node> nodes;
    std::vector<WordPiece> pieces;
    for (std::size_t begin = 0; begin < all.size();) {
      while (next < begins.size() && begins[next] <= begin) ++next;
      std::size_t end = next < begins.size() ? begins[next] : all.size();
      if (options_.split_blanks) end = std::min(all.find(options_.blank, begin + 1), end);
      pieces.clear();
      search_.cut(std::string_view(all).substr(begin, end - begin), 0, nodes, pieces);
      for (auto& piece : pieces) {
        if (piece.id == options_.unknown) piece.id = Trie::kNone;
      }
      emit_pieces(text, begin, pieces, emit);
      begin = end;
    }
  }

  [[nodiscard]] bool prepends(bool first) const {
    return options_.prefix == UnigramOptions::Prefix::kAlways ||
           (options_.prefix == UnigramOptions::Prefix::kFirst && first);
  }

  /// Blanks to marks, and a mark before the text.
  void mark_blanks(AlignedText& text, bool first) const {
    text.rewrite([this](std::string_view all, std::size_t at, std::string& out) -> std::size_t {
      const std::size_t length = code_point_at(all, at).length;
      out.append(all[at] == ' ' ? std::string_view(options_.blank) : all.substr(at, length));
      return length;
    });
    if (prepends(first) && !text.text().empty() && !text.text().starts_with(options_.blank))
      text.prepend(options_.blank);
  }

  /// White space out, and a mark before each word; with kFirst, only before one that the text begins with.
  /// Gives where the words begin.
  [[nodiscard]] std::vector<std::size_t> join_words(AlignedText& text, bool first) const {
    std::vector<std::size_t> begins;
    bool inside = false;
    text.rewrite([&](std::string_view all, std::size_t at, std::string& out) -> std::size_t {
      const auto c = code_point_at(all, at);
      if (is_space(c.value)) {
        inside = false;
        return c.length;
      }
      if (!inside) begins.push_back(out.size());
      if (!inside && prepends(first && at == 0) && !all.substr(at).starts_with(options_.blank))
        out += options_.blank;
      inside = true;
      out.append(all.substr(at, c.length));
      return c.length;
    });
    return begins;
  }

  template <class F>
  void emit_pieces(const AlignedText& text, std::size_t offset, const std::vector<WordPiece>& pieces,
                   const F& emit) const {
    for (std::size_t i = 0; i < pieces.size();) {
      if (pieces[i].id != Trie::kNone) {
        emit(text, pieces[i].id, offset + pieces[i].begin, offset + pieces[i].end);
        ++i;
        continue;
      }
      std::size_t last = i;
      while (last + 1 < pieces.size() && pieces[last + 1].id == Trie::kNone) ++last;
      const std::size_t begin = offset + pieces[i].begin, end = offset + pieces[last].end;
      i = last + 1;
      if (bytes_.empty()) {
        if (options_.unknown >= 0) emit(text, options_.unknown, begin, end);
        continue;
      }
      const auto bytes = std::string_view(text.text()).substr(begin, end - begin);
      if (std::ranges::any_of(bytes, [this](char b) { return bytes_[static_cast<unsigned char>(b)] < 0; })) {
        if (options_.unknown >= 0) emit(text, options_.unknown, begin, end);
        continue;
      }
      for (std::size_t b = begin; b < end; ++b)
        emit(text, bytes_[static_cast<unsigned char>(text.text()[b])], b, b + 1);
    }
  }

  UnigramOptions options_;
  Normalizer normalizer_;
  UnigramSearch<double> search_;
  std::vector<std::int32_t> bytes_;  // ids of <0x00> to <0xFF>; empty without byte_fallback
};

}  // namespace

std::unique_ptr<VocabularyModel> make_unigram(Vocabulary vocabulary, UnigramOptions options,
                                              const std::string& origin) {
  return std::make_unique<UnigramModel>(std::move(vocabulary), std::move(options), origin);
}

}  // namespace nystrom
