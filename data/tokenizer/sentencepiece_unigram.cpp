#include "data/tokenizer/sentencepiece_unigram.h"

#include <algorithm>
#include <limits>

#include "data/text/utf8.h"
#include "data/tokenizer/charsmap.h"

namespace nystrom {
namespace {

constexpr std::string_view kBlank = "\xE2\x96\x81";        // U+2581
constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD
constexpr double kUnknownPenalty = 10;
constexpr std::size_t kNowhere = std::numeric_limits<std::size_t>::max();

std::string utf8_of(const std::u32string& characters) {
  std::string text;
  for (const char32_t c : characters) append_utf8(text, c);
  return text;
}

bool is_ours(const SentencePieceProto& model) {
  if (model.kind != SentencePieceProto::kUnigram || model.whitespace_is_suffix || !model.escape_whitespaces)
    return false;
  bool unknown = false;
  for (const auto& piece : model.pieces) {
    unknown |= piece.type == ProtoPiece::kUnknown;
    if (piece.type == ProtoPiece::kUserDefined || piece.type == ProtoPiece::kByte) return false;
    if (piece.type == ProtoPiece::kNormal &&
        (piece.text.empty() || piece.text.find(kBlank, 1) != std::string::npos))
      return false;
  }
  return unknown;
}

}  // namespace

struct SentencePieceUnigram::Node {
  double score = 0;
  std::int32_t id = Trie::kNone;
  std::size_t begin = kNowhere;
};

/// One rule, or one character, after the other.
class SentencePieceUnigram::Rewriter {
 public:
  Rewriter(const SentencePieceUnigram& model, std::string_view text) : model_(model), text_(text) {}

  [[nodiscard]] bool ended() const { return at_ == text_.size(); }
  [[nodiscard]] std::size_t at() const { return at_; }
  /// What stands at `at`, rewritten, and how many bytes it was.
  [[nodiscard]] std::pair<std::string_view, std::size_t> here() const {
    if (model_.plain_[static_cast<unsigned char>(text_[at_])]) return {text_.substr(at_, 1), 1};
    std::int32_t node = Trie::kRoot, rule = Trie::kNone;
    std::size_t length = 0;
    for (std::size_t end = at_; end < text_.size();) {
      node = model_.rules_.child(node, text_[end++]);
      if (node == Trie::kNone) break;
      if (model_.rules_.value(node) == Trie::kNone) continue;
      rule = model_.rules_.value(node);
      length = end - at_;
    }
    if (rule != Trie::kNone) return {model_.replacements_[static_cast<std::size_t>(rule)], length};
    length = utf8_sequence(text_.substr(at_));
    if (length == 0) return {kReplacement, 1};
    return {text_.substr(at_, length), length};
  }
  /// The characters from here on, blanks apart, that stay what they are, as far as that is seen at once.
  [[nodiscard]] std::string_view plain_run() const {
    std::size_t end = at_;
    while (end < text_.size() && text_[end] != ' ' && model_.plain_[static_cast<unsigned char>(text_[end])])
      ++end;
    return text_.substr(at_, end - at_);
  }
  void skip(std::size_t bytes) { at_ += bytes; }

 private:
  const SentencePieceUnigram& model_;
  std::string_view text_;
  std::size_t at_ = 0;
};

void SentencePieceUnigram::Normalized::append(std::string_view bytes, std::size_t origin) {
  text += bytes;
  if (aligned) origins.resize(text.size(), static_cast<std::uint32_t>(origin));
}

void SentencePieceUnigram::Normalized::cut(std::size_t length) {
  text.resize(length);
  if (aligned) origins.resize(length + 1);  // the end is where the first byte that goes was
}

std::unique_ptr<const SentencePieceUnigram> SentencePieceUnigram::make(const SentencePieceProto& model) {
  if (!is_ours(model)) return nullptr;
  return std::unique_ptr<const SentencePieceUnigram>(new SentencePieceUnigram(model));
}

SentencePieceUnigram::SentencePieceUnigram(const SentencePieceProto& model)
    : prefix_(model.add_dummy_prefix), single_blanks_(model.remove_extra_whitespaces) {
  if (!model.charsmap.empty()) {
    for (const auto& [key, text] : charsmap_rules(model.charsmap)) {
      rules_.add(utf8_of(key), static_cast<std::int32_t>(replacements_.size()));
      replacements_.push_back(text);
    }
  }
  for (int byte = 0; byte < 0x80; ++byte)
    plain_[byte] = rules_.child(Trie::kRoot, static_cast<char>(byte)) == Trie::kNone;
  double least = std::numeric_limits<float>::max();
  scores_.reserve(model.pieces.size());
  for (const auto& piece : model.pieces) {
    const auto id = static_cast<std::int32_t>(scores_.size());
    scores_.push_back(static_cast<double>(piece.score));
    if (piece.type == ProtoPiece::kUnknown) unknown_ = id;
    if (piece.type != ProtoPiece::kNormal) continue;
    least = std::min(least, scores_.back());
    pieces_.add(piece.text, id);
  }
  unknown_score_ = least - kUnknownPenalty;
}

void SentencePieceUnigram::normalize(std::string_view text, Normalized& out) const {
  Rewriter next(*this, text);
  if (single_blanks_) {
    while (!next.ended() && next.here().first == " ") next.skip(next.here().second);
  }
  if (next.ended()) return;
  out.text.reserve(text.size() + text.size() / 2);
  if (prefix_) out.append(kBlank, next.at());
  bool after_blank = single_blanks_;
  while (!next.ended()) {
    if (const std::string_view run = next.plain_run(); !run.empty() && !out.aligned) {
      out.text += run;
      after_blank = false;
      next.skip(run.size());
      continue;
    }
    auto [part, length] = next.here();
    while (after_blank && part.starts_with(' ')) part.remove_prefix(1);
    for (const char byte : part) out.append(byte == ' ' ? kBlank : std::string_view(&byte, 1), next.at());
    if (!part.empty()) after_blank = single_blanks_ && part.ends_with(' ');
    next.skip(length);
  }
  if (out.aligned) out.origins.push_back(static_cast<std::uint32_t>(next.at()));
  std::size_t end = out.text.size();
  while (single_blanks_ && std::string_view(out.text).substr(0, end).ends_with(kBlank)) end -= kBlank.size();
  if (end < out.text.size()) out.cut(end);
}

void SentencePieceUnigram::best_path(std::string_view word, std::vector<Node>& nodes) const {
  nodes.assign(word.size() + 1, {});
  nodes[0].begin = 0;
  for (std::size_t at = 0; at < word.size();) {
    const std::size_t length = std::max<std::size_t>(1, utf8_sequence(word.substr(at)));
    const double here = nodes[at].score;
    const auto reach = [&nodes, at](std::size_t end, double score, std::int32_t id) {
      Node& node = nodes[end];
      if (node.begin == kNowhere || score > node.score) node = {score, id, at};
    };
    bool single = false;
    std::int32_t node = Trie::kRoot;
    for (std::size_t end = at; end < word.size();) {
      node = pieces_.child(node, word[end]);
      if (node == Trie::kNone) break;
      ++end;
      const auto id = pieces_.value(node);
      if (id == Trie::kNone) continue;
      reach(end, here + scores_[static_cast<std::size_t>(id)], id);
      single |= end == at + length;
    }
    if (!single) reach(at + length, here + unknown_score_, unknown_);
    at += length;
  }
}

// No piece goes over a U+2581: the best cut of the text is that of its words.
template <class Emit>
void SentencePieceUnigram::cut_words(const std::string& text, const Emit& emit) const {
  std::vector<Node> nodes;
  std::vector<Piece> pieces;
  Piece last{Trie::kNone, 0, 0};
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find(kBlank, begin + 1), text.size());
    best_path(std::string_view(text).substr(begin, end - begin), nodes);
    pieces.clear();
    for (std::size_t at = end - begin; at > 0; at = nodes[at].begin)
      pieces.push_back({nodes[at].id, begin + nodes[at].begin, begin + at});
    for (auto piece = pieces.rbegin(); piece != pieces.rend(); ++piece) {
      if (piece->id == unknown_ && last.id == unknown_) {
        last.end = piece->end;
        continue;
      }
      if (last.id != Trie::kNone) emit(last);
      last = *piece;
    }
    begin = end;
  }
  if (last.id != Trie::kNone) emit(last);
}

void SentencePieceUnigram::encode(std::string_view text, std::vector<std::int32_t>& ids) const {
  Normalized normalized;
  normalize(text, normalized);
  cut_words(normalized.text, [&ids](const Piece& piece) { ids.push_back(piece.id); });
}

std::vector<PieceSpan> SentencePieceUnigram::encode_spans(std::string_view text) const {
  Normalized normalized;
  normalized.aligned = true;
  normalize(text, normalized);
  std::vector<PieceSpan> spans;
  cut_words(normalized.text, [&](const Piece& piece) {
    spans.push_back({piece.id, normalized.origins[piece.begin], normalized.origins[piece.end]});
  });
  return spans;
}

}  // namespace nystrom
