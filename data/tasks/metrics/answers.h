#pragma once
// Exact match and F1 of answers, as SQuAD's official scripts count them (1.1 and 2.0).

#include <span>
#include <string>

namespace nystrom {

/// Lower case, no ASCII punctuation, no articles (a, an, the), single blanks.
[[nodiscard]] std::string normalized_answer(const std::string& text);

struct AnswerScore {
  double exact = 0, f1 = 0;
};

/// The better of all true answers, each metric separately; without a true answer the right one is "".
[[nodiscard]] AnswerScore score_answer(const std::string& predicted, std::span<const std::string> truths);

}  // namespace nystrom
