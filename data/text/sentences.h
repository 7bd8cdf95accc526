#pragma once
// Sentence splitting: ICU's rules, corrected where a full stop does not end a sentence.

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "data/text/language.h"

namespace nystrom {

/// Not to be shared between threads: each has its own.
class SentenceSplitter {
 public:
  SentenceSplitter();
  ~SentenceSplitter();
  SentenceSplitter(SentenceSplitter&&) noexcept;
  SentenceSplitter& operator=(SentenceSplitter&&) noexcept;

  /// Splits one cleaned paragraph of valid UTF-8 (no line ends), written in that language. The sentences,
  /// joined by one blank each where the paragraph has one, are the paragraph.
  std::vector<std::string> split(std::string_view paragraph, Language language = Language::kEnglish);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Whether the stop between `before` (the sentence so far, without blanks at its end) and `after` (what
/// follows, without blanks at its beginning) ends a sentence; ICU says that it may. Looks at the nearest
/// words only. The language matters for Latin letters only; in other scripts the words decide.
bool is_sentence_end(std::string_view before, std::string_view after, Language language = Language::kEnglish);

/// The same for positions where ICU ends none and English does not either: after "…", and before a dash.
bool is_further_end(std::string_view before, std::string_view after, Language language);

}  // namespace nystrom
