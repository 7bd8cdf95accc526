#include "data/text/sentences.h"

#include <unicode/brkiter.h>
#include <unicode/utext.h>

#include <algorithm>

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

}  // namespace

std::vector<std::string> SentenceSplitter::split(std::string_view paragraph) {
  UErrorCode status = U_ZERO_ERROR;
  utext_openUTF8(&state_->text, paragraph.data(), static_cast<std::int64_t>(paragraph.size()), &status);
  state_->breaks->setText(&state_->text, status);
  if (U_FAILURE(status))
    fail("ICU failed to split a paragraph of {} bytes: {}.", paragraph.size(), u_errorName(status));
  std::vector<std::string> sentences;
  OpenParentheses parentheses;
  std::size_t begin = 0, seen = 0;
  const auto keep = [&](std::size_t end) {
    const auto sentence = trim(paragraph.substr(begin, end - begin));
    if (!sentence.empty()) sentences.emplace_back(sentence);
    begin = end;
  };
  const auto items = list_items(paragraph);
  auto item = items.begin();
  const auto keep_items = [&](std::size_t end) {
    for (; item != items.end() && *item <= end; ++item) {
      keep(*item);
      parentheses.reset();
      seen = *item;
    }
  };
  for (auto at = state_->breaks->next(); at != icu::BreakIterator::DONE; at = state_->breaks->next()) {
    const auto end = static_cast<std::size_t>(at);
    if (end >= paragraph.size()) break;
    keep_items(end);
    if (begin == end) continue;
    parentheses.add(paragraph.substr(seen, end - seen));
    seen = end;
    if (parentheses.closes_in(paragraph.substr(end))) continue;
    const auto before = nearest(trim(paragraph.substr(begin, end - begin)));
    if (!is_sentence_end(before, trim(paragraph.substr(end, kNear)))) continue;
    keep(end);
    parentheses.reset();
  }
  keep_items(paragraph.size());
  keep(paragraph.size());
  return sentences;
}

}  // namespace nystrom
