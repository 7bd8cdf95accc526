#include "data/tokenizer/json/added_tokens.h"

#include <algorithm>

#include "data/tokenizer/model/unicode_classes.h"
#include "kernels/core/check.h"

namespace nystrom {
namespace {

/// Where the last code point before `end` begins. Precondition: end > 0.
std::size_t last_code_point(std::string_view text, std::size_t end) {
  std::size_t at = end - 1;
  while (at > 0 && (static_cast<unsigned char>(text[at]) & 0xC0U) == 0x80U) --at;
  return at;
}

bool stands_alone(std::string_view text, std::size_t begin, std::size_t end) {
  const bool before = begin > 0 && is_word_character(code_point_at(text, last_code_point(text, begin)).value);
  const bool behind = end < text.size() && is_word_character(code_point_at(text, end).value);
  return !before && !behind;
}

std::size_t before_blanks(std::string_view text, std::size_t begin, std::size_t first) {
  while (begin > first) {
    const std::size_t at = last_code_point(text, begin);
    if (!is_space(code_point_at(text, at).value)) break;
    begin = at;
  }
  return std::max(begin, first);
}

std::size_t behind_blanks(std::string_view text, std::size_t end) {
  while (end < text.size()) {
    const auto c = code_point_at(text, end);
    if (!is_space(c.value)) break;
    end += c.length;
  }
  return end;
}

class AddedTokensModel final : public TokenizerModel {
 public:
  AddedTokensModel(std::unique_ptr<VocabularyModel> model, std::vector<AddedToken> raw,
                   std::vector<AddedToken> normalized, Normalizer normalizer)
      : model_(std::move(model)),
        normalizer_(std::move(normalizer)),
        raw_(std::move(raw)),
        normalized_(std::move(normalized)) {}

  [[nodiscard]] std::string_view kind() const override { return model_->kind(); }
  [[nodiscard]] std::int32_t vocabulary_size() const override { return model_->vocabulary_size(); }
  [[nodiscard]] const std::string& piece(std::int32_t id) const override { return model_->piece(id); }
  [[nodiscard]] std::optional<std::int32_t> id_of(std::string_view piece) const override {
    return model_->id_of(piece);
  }
  [[nodiscard]] std::string decode(std::span<const std::int32_t> ids) const override {
    return model_->decode(ids);
  }
  [[nodiscard]] bool starts_word(std::int32_t id) const override { return model_->starts_word(id); }
  [[nodiscard]] bool is_control(std::int32_t id) const override { return model_->is_control(id); }
  [[nodiscard]] SpecialIds special_ids(const SpecialNames& names, const std::string& origin) const override {
    return model_->special_ids(names, origin);
  }

  void encode(std::string_view text, std::vector<std::int32_t>& ids) const override {
    for_each_part(text, false, [&](const AlignedText& part, std::size_t, const Part& at, bool first) {
      if (at.id >= 0) return ids.push_back(at.id);
      const auto words = std::string_view(part.text()).substr(at.begin, at.end - at.begin);
      first ? model_->encode(words, ids) : model_->encode_rest(words, ids);
    });
  }

  [[nodiscard]] std::vector<PieceSpan> encode_spans(std::string_view text) const override {
    std::vector<PieceSpan> spans;
    for_each_part(text, true, [&](const AlignedText& part, std::size_t offset, const Part& at, bool first) {
      const auto shift = static_cast<std::int64_t>(offset);
      const auto add = [&](std::int32_t id, std::size_t begin, std::size_t end) {
        const bool inside = begin < part.text().size();
        const std::int64_t from = shift + (inside ? part.begin(begin) : part.end(begin - 1));
        spans.push_back({id, from, end > begin ? shift + part.end(end - 1) : from});
      };
      if (at.id >= 0) return add(at.id, at.begin, at.end);
      const auto words = std::string_view(part.text()).substr(at.begin, at.end - at.begin);
      for (const auto& span : first ? model_->encode_spans(words) : model_->encode_rest_spans(words))
        add(span.id, at.begin + static_cast<std::size_t>(span.begin),
            at.begin + static_cast<std::size_t>(span.end));
    });
    return spans;
  }

 private:
  using Part = AddedTokenSearch::Part;

  /// Calls f(normalized text, its offset in the text, part of it, does the text begin there?).
  template <class F>
  void for_each_part(std::string_view text, bool aligned, const F& f) const {
    for (const auto& raw : raw_.split(text)) {
      AlignedText part(text.substr(raw.begin, raw.end - raw.begin), aligned);
      if (raw.id >= 0) {
        f(part, raw.begin, {raw.id, 0, raw.end - raw.begin}, false);
        continue;
      }
      normalizer_.apply(part);
      for (const auto& at : normalized_.split(part.text()))
        f(part, raw.begin, at, raw.begin == 0 && at.begin == 0);
    }
  }

  std::unique_ptr<VocabularyModel> model_;
  Normalizer normalizer_;
  AddedTokenSearch raw_, normalized_;
};

}  // namespace

AddedTokenSearch::AddedTokenSearch(std::vector<AddedToken> tokens) : tokens_(std::move(tokens)) {
  // Of equal spellings a special one counts, else the first.
  std::stable_partition(tokens_.begin(), tokens_.end(),
                        [](const AddedToken& token) { return token.special; });
  for (std::size_t i = tokens_.size(); i-- > 0;)
    spellings_.add(tokens_[i].content, static_cast<std::int32_t>(i));
}

const AddedToken* AddedTokenSearch::longest_at(std::string_view text, std::size_t at) const {
  const AddedToken* found = nullptr;
  std::int32_t node = Trie::kRoot;
  for (std::size_t i = at; i < text.size(); ++i) {
    node = spellings_.child(node, text[i]);
    if (node == Trie::kNone) break;
    if (const auto index = spellings_.value(node); index != Trie::kNone)
      found = &tokens_[static_cast<std::size_t>(index)];
  }
  return found;
}

std::vector<AddedTokenSearch::Part> AddedTokenSearch::split(std::string_view text) const {
  std::vector<Part> parts;
  std::size_t done = 0;  // what parts cover
  for (std::size_t at = 0; at < text.size();) {
    const AddedToken* token = longest_at(text, at);
    if (token == nullptr) {
      ++at;
      continue;
    }
    const std::size_t match_end = at + token->content.size();
    if (!token->special && (!token->single_word || stands_alone(text, at, match_end))) {
      const std::size_t begin = token->lstrip ? before_blanks(text, at, done) : std::max(at, done);
      const std::size_t end = token->rstrip ? behind_blanks(text, match_end) : match_end;
      if (done < begin) parts.push_back({-1, done, begin});
      parts.push_back({token->id, begin, end});
      done = end;
    }
    at = match_end;
  }
  if (done < text.size()) parts.push_back({-1, done, text.size()});
  return parts;
}

std::unique_ptr<TokenizerModel> with_added_tokens(std::unique_ptr<VocabularyModel> model,
                                                  std::vector<AddedToken> tokens, Normalizer normalizer,
                                                  const std::string& origin) {
  std::vector<AddedToken> raw, normalized;
  for (auto& token : tokens) {
    if (!token.normalized) {
      raw.push_back(std::move(token));
      continue;
    }
    AlignedText content(token.content, false);
    normalizer.apply(content);
    if (content.text().empty())
      refuse("{}: its added token \"{}\" is empty once it is normalized.", origin, token.content);
    token.content = content.text();
    normalized.push_back(std::move(token));
  }
  return std::make_unique<AddedTokensModel>(std::move(model), std::move(raw), std::move(normalized),
                                            std::move(normalizer));
}

}  // namespace nystrom
