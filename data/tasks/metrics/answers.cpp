#include "data/tasks/metrics/answers.h"

#include <unicode/locid.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>

#include <algorithm>
#include <map>
#include <string_view>
#include <vector>

namespace nystrom {
namespace {

bool is_punctuation(UChar32 c) {
  return c < 128 && std::string_view("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~").find(static_cast<char>(c)) !=
                        std::string_view::npos;
}

/// Words of letters and digits end at other characters, as \b has it; articles are single words.
std::vector<std::string> words_without_articles(const icu::UnicodeString& text) {
  std::vector<std::string> words;
  icu::UnicodeString word, run;  // a word between blanks; its last run of letters and digits
  const auto end_word = [&] {
    if (!word.isEmpty()) word.toUTF8String(words.emplace_back());
    word.remove();
  };
  const auto end_run = [&] {
    const bool article = run == "a" || run == "an" || run == "the";
    if (article) end_word();  // the article becomes a blank
    if (!article) word += run;
    run.remove();
  };
  for (std::int32_t i = 0; i < text.length(); i = text.moveIndex32(i, 1)) {
    const UChar32 c = text.char32At(i);
    if (u_isUWhiteSpace(c)) {
      end_run();
      end_word();
    } else if (u_isalnum(c)) {
      run += c;
    } else {
      end_run();
      word += c;
    }
  }
  end_run();
  end_word();
  return words;
}

std::vector<std::string> answer_words(const std::string& text) {
  icu::UnicodeString lower = icu::UnicodeString::fromUTF8(text).toLower(icu::Locale::getRoot()), plain;
  for (std::int32_t i = 0; i < lower.length(); i = lower.moveIndex32(i, 1))
    if (const UChar32 c = lower.char32At(i); !is_punctuation(c)) plain += c;
  return words_without_articles(plain);
}

double word_f1(const std::vector<std::string>& predicted, const std::vector<std::string>& truth) {
  if (predicted.empty() || truth.empty()) return predicted == truth ? 1 : 0;
  std::map<std::string, int> left;
  for (const auto& word : truth) ++left[word];
  double common = 0;
  for (const auto& word : predicted)
    if (auto it = left.find(word); it != left.end() && it->second-- > 0) ++common;
  return 2 * common / static_cast<double>(predicted.size() + truth.size());
}

}  // namespace

std::string normalized_answer(const std::string& text) {
  std::string joined;
  for (const auto& word : answer_words(text)) joined += (joined.empty() ? "" : " ") + word;
  return joined;
}

AnswerScore score_answer(const std::string& predicted, std::span<const std::string> truths) {
  const auto words = answer_words(predicted);
  AnswerScore best;
  bool any = false;
  for (const auto& truth : truths) {
    const auto true_words = answer_words(truth);
    if (true_words.empty()) continue;  // as in SQuAD 2.0: an answer of articles only does not count
    any = true;
    best.exact = std::max(best.exact, words == true_words ? 1.0 : 0.0);
    best.f1 = std::max(best.f1, word_f1(words, true_words));
  }
  if (!any) best.exact = best.f1 = words.empty() ? 1 : 0;
  return best;
}

}  // namespace nystrom
