#include "data/tokenizer/sentencepiece/encoder.h"

#include <algorithm>
#include <atomic>
#include <cmath>

#include "data/text/utf8.h"
#include "data/tokenizer/model/word_cache.h"
#include "data/tokenizer/sentencepiece/charsmap.h"

namespace nystrom {
namespace {

constexpr int kAscii = 0x80;
constexpr std::string_view kBlank = "\xE2\x96\x81";        // U+2581
constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD
// A segmentation whose sums differ by more than kSafeMargin is the same whatever sum came before it, up to
// kFarthestSum, where floats are 2^-9 apart: a word of the cache has at most 24 pieces, and each
// addition rounds by half of that, in both sums that are compared.
constexpr float kFarthestSum = 32768;
constexpr double kSafeMargin = 0.1;

std::string utf8_of(const std::u32string& characters) {
  std::string text;
  for (const char32_t c : characters) append_utf8(text, c);
  return text;
}

bool is_ours(const SentencePieceProto& model) {
  const bool pairs = model.kind == SentencePieceProto::kBpe;
  if ((model.kind != SentencePieceProto::kUnigram && !pairs) || model.whitespace_is_suffix ||
      !model.escape_whitespaces)
    return false;
  bool unknown = false;
  for (const auto& piece : model.pieces) {
    if (pairs && piece.type == ProtoPiece::kUnused) return false;
    if (!std::isfinite(piece.score)) return false;
    unknown |= piece.type == ProtoPiece::kUnknown;
    if (piece.type == ProtoPiece::kUserDefined || piece.type == ProtoPiece::kByte) return false;
    if (piece.type == ProtoPiece::kNormal &&
        (piece.text.empty() || piece.text.find(kBlank, 1) != std::string::npos))
      return false;
  }
  return unknown;
}

}  // namespace

/// What encoding needs besides the model.
struct SentencePieceEncoder::Workspace {
  std::uint64_t owner = 0;  // the encoder whose words these are
  Normalized normalized;
  std::vector<UnigramSearch<float>::Node> nodes;
  std::vector<WordPiece> pieces;  // of one word
  WordCache words;
};

/// One rule, or one character, after the other.
class SentencePieceEncoder::Rewriter {
 public:
  Rewriter(const SentencePieceEncoder& model, std::string_view text) : model_(model), text_(text) {}

  [[nodiscard]] bool ended() const { return at_ == text_.size(); }
  [[nodiscard]] std::size_t at() const { return at_; }
  /// The text at `at`, rewritten, and how many bytes it was.
  [[nodiscard]] std::pair<std::string_view, std::size_t> here() const {
    if (is_plain(at_)) return {text_.substr(at_, 1), 1};
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
    while (end < text_.size() && text_[end] != ' ' && is_plain(end)) ++end;
    return text_.substr(at_, end - at_);
  }
  void skip(std::size_t bytes) { at_ += bytes; }

 private:
  [[nodiscard]] bool is_plain(std::size_t at) const {
    return model_.plain_[static_cast<unsigned char>(text_[at])] &&
           (at + 1 == text_.size() || static_cast<unsigned char>(text_[at + 1]) < kAscii);
  }

  const SentencePieceEncoder& model_;
  std::string_view text_;
  std::size_t at_ = 0;
};

void SentencePieceEncoder::Normalized::append(std::string_view bytes, std::size_t origin) {
  text += bytes;
  if (aligned) origins.resize(text.size(), static_cast<std::uint32_t>(origin));
}

void SentencePieceEncoder::Normalized::cut(std::size_t length) {
  text.resize(length);
  if (aligned) origins.resize(length + 1);  // the end is where the first dropped byte was
}

std::unique_ptr<const SentencePieceEncoder> SentencePieceEncoder::make(const SentencePieceProto& model) {
  if (!is_ours(model)) return nullptr;
  return std::unique_ptr<const SentencePieceEncoder>(new SentencePieceEncoder(model));
}

SentencePieceEncoder::SentencePieceEncoder(const SentencePieceProto& model)
    : prefix_(model.add_dummy_prefix), single_blanks_(model.remove_extra_whitespaces) {
  static std::atomic<std::uint64_t> encoders = 0;
  serial_ = ++encoders;
  if (!model.charsmap.empty()) {
    for (const auto& [key, text] : charsmap_rules(model.charsmap)) {
      rules_.add(utf8_of(key), static_cast<std::int32_t>(replacements_.size()));
      replacements_.push_back(text);
    }
  }
  for (int byte = 0; byte < kAscii; ++byte) plain_[byte] = stays_before_ascii(static_cast<char>(byte));
  for (std::size_t id = 0; id < model.pieces.size(); ++id) {
    if (model.pieces[id].type == ProtoPiece::kUnknown) unknown_ = static_cast<std::int32_t>(id);
  }
  if (model.kind == SentencePieceProto::kBpe)
    pieces_ = pairs_of(model);
  else
    pieces_ = search_of(model);
}

bool SentencePieceEncoder::stays_before_ascii(char byte) const {
  const std::int32_t node = rules_.child(Trie::kRoot, byte);
  if (node == Trie::kNone) return true;
  for (int next = 0; next < kAscii; ++next) {
    if (rules_.child(node, static_cast<char>(next)) != Trie::kNone) return false;
  }
  return rules_.value(node) == Trie::kNone;
}

UnigramSearch<float> SentencePieceEncoder::search_of(const SentencePieceProto& model) {
  UnigramSearch<float> search;
  for (std::size_t id = 0; id < model.pieces.size(); ++id) {
    const auto& piece = model.pieces[id];
    if (piece.type == ProtoPiece::kNormal) search.add(piece.text, static_cast<std::int32_t>(id), piece.score);
  }
  return search;
}

SentencePieceEncoder::Pairs SentencePieceEncoder::pairs_of(const SentencePieceProto& model) {
  Pairs pairs;
  std::vector<float> scores;
  for (const auto& piece : model.pieces) scores.push_back(piece.score);
  std::sort(scores.begin(), scores.end(), std::greater<>());
  for (const auto& piece : model.pieces) {
    if (piece.type == ProtoPiece::kNormal)
      pairs.pieces.add(piece.text, static_cast<std::int32_t>(pairs.ranks.size()));
    const auto rank = std::lower_bound(scores.begin(), scores.end(), piece.score, std::greater<>());
    pairs.ranks.push_back(static_cast<std::int32_t>(rank - scores.begin()));
  }
  return pairs;
}

void SentencePieceEncoder::normalize(std::string_view text, Normalized& out) const {
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

void SentencePieceEncoder::merge(std::string_view word, const Pairs& pairs, std::vector<WordPiece>& pieces) {
  const auto id_of = [&](std::uint32_t begin, std::uint32_t end) {
    std::int32_t node = Trie::kRoot;
    for (std::uint32_t at = begin; at < end && node != Trie::kNone; ++at)
      node = pairs.pieces.child(node, word[at]);
    return node == Trie::kNone ? Trie::kNone : pairs.pieces.value(node);
  };
  for (std::uint32_t at = 0; at < word.size();) {
    const auto end =
        at + static_cast<std::uint32_t>(std::max<std::size_t>(1, utf8_sequence(word.substr(at))));
    pieces.push_back({id_of(at, end), at, end});
    at = end;
  }
  merge_pieces(pieces, [&](const WordPiece& left, const WordPiece& right) -> std::optional<PieceMerge> {
    const auto id = id_of(left.begin, right.end);
    if (id == Trie::kNone) return std::nullopt;
    return PieceMerge{pairs.ranks[static_cast<std::size_t>(id)], id};
  });
}

// The pieces of `word` into work.pieces; `sum` continues.
void SentencePieceEncoder::cut_word(std::string_view word, float& sum, Workspace& work) const {
  work.pieces.clear();
  const auto* search = std::get_if<UnigramSearch<float>>(&pieces_);
  std::optional<WordCache::Key> key;
  if (word.size() <= WordCache::kLongestWord && std::abs(sum) < kFarthestSum) key = WordCache::key_of(word);
  if (const auto* entry = key ? work.words.find(*key) : nullptr) {
    std::uint32_t begin = 0;
    for (std::size_t i = 0; i < entry->count; ++i) {
      work.pieces.push_back({entry->ids[i], begin, entry->ends[i]});
      begin = entry->ends[i];
      if (search != nullptr) sum = search->added(sum, entry->ids[i]);
    }
    return;
  }
  double margin = kSafeMargin;
  if (search != nullptr) {
    const auto found = search->cut(word, sum, work.nodes, work.pieces);
    sum = found.sum;
    margin = found.margin;
  } else {
    merge(word, std::get<Pairs>(pieces_), work.pieces);
  }
  if (key && margin >= kSafeMargin) work.words.put(*key, work.pieces);
}

// No piece crosses a U+2581: the best segmentation of the text is that of its words.
template <class Emit>
void SentencePieceEncoder::cut_words(const std::string& text, Workspace& work, const Emit& emit) const {
  Piece last{Trie::kNone, 0, 0};
  float sum = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find(kBlank, begin + 1), text.size());
    cut_word(std::string_view(text).substr(begin, end - begin), sum, work);
    for (const auto& piece : work.pieces) {
      const auto id = piece.id == Trie::kNone ? unknown_ : piece.id;
      if (id == unknown_ && last.id == unknown_) {
        last.end = begin + piece.end;
        continue;
      }
      if (last.id != Trie::kNone) emit(last);
      last = {id, begin + piece.begin, begin + piece.end};
    }
    begin = end;
  }
  if (last.id != Trie::kNone) emit(last);
}

// Each thread has one, for the encoder that it used last: a lock for every text would cost a fifth of the
// time.
SentencePieceEncoder::Workspace& SentencePieceEncoder::workspace() const {
  thread_local Workspace work;
  if (work.owner != serial_) {
    work = {};
    work.owner = serial_;
  }
  return work;
}

void SentencePieceEncoder::encode(std::string_view text, std::vector<std::int32_t>& ids) const {
  Workspace& work = workspace();
  work.normalized.text.clear();
  normalize(text, work.normalized);
  cut_words(work.normalized.text, work, [&ids](const Piece& piece) { ids.push_back(piece.id); });
}

std::vector<PieceSpan> SentencePieceEncoder::encode_spans(std::string_view text) const {
  Normalized normalized;
  normalized.aligned = true;
  normalize(text, normalized);
  std::vector<PieceSpan> spans;
  cut_words(normalized.text, workspace(), [&](const Piece& piece) {
    spans.push_back({piece.id, normalized.origins[piece.begin], normalized.origins[piece.end]});
  });
  return spans;
}

}  // namespace nystrom
