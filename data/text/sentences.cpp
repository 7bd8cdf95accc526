#include "data/text/sentences.h"

#include <unicode/brkiter.h>
#include <unicode/utext.h>

#include <algorithm>
#include <array>

#include "data/text/list_items.h"
#include "kernels/core/check.h"

namespace nystrom {

struct SentenceSplitter::State {
  std::unique_ptr<icu::BreakIterator> breaks;
  UText text = UTEXT_INITIALIZER;
  ~State() {
    breaks.reset();
    utext_close(&text);
  }
};

SentenceSplitter::SentenceSplitter() : state_(std::make_unique<State>()) {
  UErrorCode status = U_ZERO_ERROR;
  state_->breaks.reset(icu::BreakIterator::createSentenceInstance(icu::Locale::getRoot(), status));
  if (U_FAILURE(status)) fail("ICU has no rules for sentences: {}.", u_errorName(status));
}
SentenceSplitter::~SentenceSplitter() = default;
SentenceSplitter::SentenceSplitter(SentenceSplitter&&) noexcept = default;
SentenceSplitter& SentenceSplitter::operator=(SentenceSplitter&&) noexcept = default;

namespace {

constexpr std::size_t kParenthesisReach =
    400;                            // bytes in which a parenthesis must close to hold a sentence together
constexpr std::size_t kNear = 128;  // bytes around a stop that decide about it

std::string_view trim(std::string_view text) {
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  return text;
}

/// The end of a sentence so far: enough for its last words, so that a paragraph without an end costs no more.
std::string_view nearest(std::string_view text) {
  return text.substr(text.size() - std::min(text.size(), kNear));
}

/// Counts parentheses that are open at the end of the sentence so far, each byte once.
class OpenParentheses {
 public:
  void add(std::string_view text) {
    for (const char c : text) {
      if (c == '(') ++open_;
      if (c == ')' && open_ > 0) --open_;
    }
  }
  /// Does the innermost close soon after?
  [[nodiscard]] bool closes_in(std::string_view after) const {
    if (open_ == 0) return false;
    int inner = 0;
    for (const char c : after.substr(0, kParenthesisReach)) {
      if (c == '(') ++inner;
      if (c == ')' && inner-- == 0) return true;
    }
    return false;
  }
  void reset() { open_ = 0; }

 private:
  int open_ = 0;
};

/// Where the sentence ends that ICU ends at `end`: before the opening quotes of the next one, where no blank
/// separates the two, as in Chinese and Japanese ("。「").
std::size_t before_opening(std::string_view paragraph, std::size_t end) {
  constexpr auto kOpening = std::to_array<std::string_view>(
      {"\u300C", "\u300E", "\uFF08", "\u300A", "\u3008", "\u3010", "\u201C", "\u2018"});
  const auto next = static_cast<unsigned char>(paragraph[end]);
  if (next < 0xE3 || next > 0xEF) return end;
  const auto opens = [&](std::string_view mark) { return paragraph.substr(0, end).ends_with(mark); };
  while (std::any_of(kOpening.begin(), kOpening.end(), opens)) end -= 3;
  return end;
}

/// Bytes of a closing "»" with the blanks around it that `rest` begins with, where the sentence so far has
/// opened it: French puts a blank before it.
std::size_t closing_quote(std::string_view sentence, std::string_view rest) {
  constexpr std::string_view kOpen = "\u00AB", kClose = "\u00BB";
  if (!rest.starts_with(kClose)) return 0;
  if (rest.size() > kClose.size() &&
      std::string_view(" ,.;:!?)").find(rest[kClose.size()]) == std::string_view::npos)
    return 0;  // it opens: German has »...«
  sentence = sentence.substr(sentence.size() - std::min(sentence.size(), kParenthesisReach));
  const std::size_t open = sentence.rfind(kOpen), close = sentence.rfind(kClose);
  if (open == std::string_view::npos || (close != std::string_view::npos && close > open)) return 0;
  return std::min(rest.find_first_not_of(' ', kClose.size()), rest.size());
}

/// One paragraph; the positions where a sentence may end come in order.
class Splitting {
 public:
  Splitting(std::string_view paragraph, Language language)
      : paragraph_(paragraph), language_(language), items_(list_items(paragraph)), item_(items_.begin()) {
    find_place(0);
  }

  /// ICU says that a sentence may end at `end`.
  void may_end(std::size_t end) {
    further_places_until(end);
    if (!advance(end)) return;
    end += closing_quote(paragraph_.substr(begin_, end - begin_), paragraph_.substr(end));
    if (is_sentence_end(before(end), after(end), language_)) end_sentence(end);
  }

  std::vector<std::string> take() {
    further_places_until(paragraph_.size());
    keep_items(paragraph_.size());
    keep(paragraph_.size());
    return std::move(sentences_);
  }

 private:
  [[nodiscard]] std::string_view before(std::size_t end) const {
    return nearest(trim(paragraph_.substr(begin_, end - begin_)));
  }
  [[nodiscard]] std::string_view after(std::size_t end) const { return trim(paragraph_.substr(end, kNear)); }

  /// False where no sentence can end at `end`: one does already, or a parenthesis holds it together.
  bool advance(std::size_t end) {
    keep_items(end);
    if (end <= begin_) return false;
    if (end > seen_) parentheses_.add(paragraph_.substr(seen_, end - seen_));
    seen_ = std::max(seen_, end);
    return !parentheses_.closes_in(paragraph_.substr(end));
  }

  /// ICU's rules, made for English, end no sentence in "… Then" and ". — Then".
  void further_places_until(std::size_t end) {
    while (place_ < end) {
      const std::size_t at = place_;
      find_place(at + 1);
      if (advance(at) && is_further_end(before(at), after(at), language_)) end_sentence(at);
    }
  }
  /// The next position at or after `from`: after an ellipsis and its blank, or before a dash that follows a
  /// blank; in Dutch also before "'s ".
  void find_place(std::size_t from) {
    place_ = std::string_view::npos;
    if (language_ == Language::kEnglish) return;
    constexpr std::string_view kEllipsis = "\u2026 ";
    const std::string_view firsts = language_ == Language::kDutch ? "'\xE2" : "\xE2";
    for (std::size_t at = paragraph_.find_first_of(firsts, from); at != std::string_view::npos;
         at = paragraph_.find_first_of(firsts, at + 1)) {
      const auto rest = paragraph_.substr(at);
      const bool behind_blank = at > 0 && paragraph_[at - 1] == ' ';
      const bool begins = behind_blank && (rest.front() == '\'' || rest.starts_with("\u2013") ||
                                           rest.starts_with("\u2014") || rest.starts_with("\u2019"));
      if (!begins && !rest.starts_with(kEllipsis)) continue;
      place_ = begins ? at : at + kEllipsis.size();
      return;
    }
  }

  void end_sentence(std::size_t end) {
    keep(end);
    parentheses_.reset();
  }
  void keep(std::size_t end) {
    const auto sentence = trim(paragraph_.substr(begin_, end - begin_));
    if (!sentence.empty()) sentences_.emplace_back(sentence);
    begin_ = end;
  }
  void keep_items(std::size_t end) {
    for (; item_ != items_.end() && *item_ <= end; ++item_) {
      if (*item_ < begin_) continue;
      end_sentence(*item_);
      seen_ = *item_;
    }
  }

  std::string_view paragraph_;
  Language language_;
  std::vector<std::string> sentences_;
  OpenParentheses parentheses_;
  std::vector<std::size_t> items_;
  std::vector<std::size_t>::const_iterator item_;
  std::size_t begin_ = 0, seen_ = 0;
  std::size_t place_ = std::string_view::npos;  // the next one that ICU does not know
};

}  // namespace

std::vector<std::string> SentenceSplitter::split(std::string_view paragraph, Language language) {
  UErrorCode status = U_ZERO_ERROR;
  utext_openUTF8(&state_->text, paragraph.data(), static_cast<std::int64_t>(paragraph.size()), &status);
  state_->breaks->setText(&state_->text, status);
  if (U_FAILURE(status))
    fail("ICU failed to split a paragraph of {} bytes: {}.", paragraph.size(), u_errorName(status));
  Splitting splitting(paragraph, language);
  for (auto at = state_->breaks->next(); at != icu::BreakIterator::DONE; at = state_->breaks->next()) {
    const auto end = static_cast<std::size_t>(at);
    if (end >= paragraph.size()) break;
    splitting.may_end(before_opening(paragraph, end));
  }
  return splitting.take();
}

}  // namespace nystrom
