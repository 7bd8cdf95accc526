// Whether a stop ends a sentence, by the words around it.

#include <unicode/uchar.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "data/text/ascii.h"
#include "data/text/case_folding.h"
#include "data/text/list_items.h"
#include "data/text/quoted_speech.h"
#include "data/text/sentence_rules.h"
#include "data/text/sentences.h"
#include "data/text/utf8.h"

namespace nystrom {
namespace {

using std::string_view;

/// The first character of a text that is not empty.
char32_t first_character(string_view text) {
  return utf8_decode(text.data(), std::max<std::size_t>(1, utf8_sequence(text)));
}

/// Removes one closing (opening) quote or bracket at the end (front); false if there is none.
bool take_closing(string_view& text) {
  for (const string_view mark : {"\"", "'", ")", "]", "}", "\u2019", "\u201D", "\u00BB", "\u203A", "\u201C",
                                 "\u300D", "\u300F", "\uFF09"}) {
    if (!text.ends_with(mark)) continue;
    text.remove_suffix(mark.size());
    return true;
  }
  return false;
}
bool take_opening(string_view& text) {
  for (const string_view mark : {"\"", "'", "(", "[", "{", "*", "\u2018", "\u201C", "\u00AB", "\u2039",
                                 "\u2014", "\u2013", "-", " ", "\u201E", "\u201A", "\u00BF", "\u00A1"}) {
    if (!text.starts_with(mark)) continue;
    text.remove_prefix(mark.size());
    return true;
  }
  return false;
}

/// Length of the letter (or of its mark) that `text` begins with, or 0.
std::size_t letter(string_view text) {
  const std::size_t length = utf8_sequence(text);
  if (length == 1) return is_ascii_upper(text.front()) || is_ascii_lower(text.front()) ? 1 : 0;
  if (length == 0) return 0;
  const auto kind = U_GET_GC_MASK(static_cast<UChar32>(utf8_decode(text.data(), length)));
  return (kind & (U_GC_L_MASK | U_GC_M_MASK)) != 0 ? length : 0;
}

bool is_one_letter(string_view word) {
  return !word.empty() && letter(word) == word.size();
}

/// What follows the last character of a script without blanks: of "公司在U.S.A" the letters.
string_view behind_unspaced(string_view text) {
  constexpr std::size_t kLength = 3;  // bytes of such a character
  std::size_t cut = 0;
  for (std::size_t i = 0; i + kLength <= text.size(); ++i) {
    const auto lead = static_cast<unsigned char>(text[i]);
    if (lead >= 0xE3 && lead < 0xF0) cut = i + kLength;
  }
  return text.substr(cut);
}

/// The last word of a text: back to a blank, an opening bracket or quote, a long dash.
string_view last_word(string_view text, const SentenceRules& rules) {
  if (const std::size_t cut = text.find_last_of(rules.elides ? " (\"[/'" : " (\"[/");
      cut != string_view::npos)
    text.remove_prefix(cut + 1);
  for (const string_view mark :
       {"\u2014", "\u201C", "\u2018", "\u00AB", "\u201E", "\u201A", "\u00BF", "\u00A1", "\uFF08"}) {
    if (const std::size_t cut = text.rfind(mark); cut != string_view::npos)
      text.remove_prefix(cut + mark.size());
  }
  if (const std::size_t cut = text.rfind("\u2019"); rules.elides && cut != string_view::npos)
    text.remove_prefix(cut + 3);
  return behind_unspaced(text);
}

/// The first word of a text.
string_view first_word(string_view text) {
  while (take_opening(text)) {
  }
  std::size_t end = 0;
  while (const std::size_t length = letter(text.substr(end))) end += length;
  return text.substr(0, end);
}

/// With a capital, where its script has any.
bool begins_sentence(string_view after, const SentenceRules& rules) {
  const auto word = first_word(after);
  if (word.empty() || is_lower_case(first_character(word))) return false;
  const auto rest =
      string_view(word.data() + word.size(),
                  static_cast<std::size_t>(after.data() + after.size() - word.data()) - word.size());
  if (rules.elides && (rest.starts_with('\'') || rest.starts_with("\u2019"))) return true;  // L'hiver
  const bool initial = rules.language != Language::kEnglish && is_one_letter(word) && rest.starts_with('.');
  return !initial && rules.starters.has(case_folded(word));
}

/// 's Morgens: in Dutch a sentence may begin so.
bool begins_apostrophe(string_view after) {
  for (const string_view mark : {"'", "\u2019", "\u2018"}) {
    if (!after.starts_with(mark)) continue;
    after.remove_prefix(mark.size());
    return after.size() > 2 && string_view("stn").find(after[0]) != string_view::npos && after[1] == ' ' &&
           is_ascii_upper(after[2]);
  }
  return false;
}

bool begins_lower(string_view after) {
  while (take_opening(after)) {
  }
  return !after.empty() && is_lower_case(first_character(after));
}

bool begins_digit(string_view after) {
  return !after.empty() && u_isdigit(static_cast<UChar32>(first_character(after))) != 0;
}

bool is_roman(string_view word) {
  return !word.empty() && word.find_first_not_of("IVXLCDM") == string_view::npos;
}

/// "U.S", "Ph.D", "e.g": letters with stops between. Not in English also "J.-P" and letters beyond ASCII.
bool is_dotted(string_view word, bool english) {
  if (word.size() < 3 || word.find('.') == string_view::npos || word.find("..") != string_view::npos)
    return false;
  return std::all_of(word.begin(), word.end(), [english](char c) {
    return is_ascii_upper(c) || is_ascii_lower(c) || c == '.' ||
           (!english && (c == '-' || static_cast<unsigned char>(c) >= 0x80));
  });
}

/// "т. д" as "т.д": the last word with the abbreviations of a letter or two before it.
std::string joined_letters(string_view before, string_view word) {
  constexpr std::size_t kMaxBytes = 5;  // bytes with the stop
  std::string text(word);
  before.remove_suffix(word.size());
  while (before.ends_with(". ")) {
    before.remove_suffix(1);
    const std::size_t cut = before.find_last_of(" (\"[");
    const auto part = cut == string_view::npos ? before : before.substr(cut + 1);
    if (part.size() > kMaxBytes || part.size() < 2) break;
    text.insert(0, part);
    before.remove_suffix(part.size());
  }
  return text;
}

/// A letter with a stop is an initial, except in "you and I." and where a sentence clearly begins.
bool initial_ends(string_view before, string_view word, string_view after, const SentenceRules& rules) {
  if (begins_sentence(after, rules)) return true;
  if (word != "I" || rules.language != Language::kEnglish) return false;
  before.remove_suffix(std::min(before.size(), word.size() + 1));
  while (!before.empty() && before.back() == ' ') before.remove_suffix(1);
  const auto previous = last_word(before, rules);
  return !previous.empty() && is_ascii_lower(previous.front());
}

/// An enumeration's number or letter alone ("1.", "a.", "IV.") belongs to what follows.
bool is_enumeration(string_view before) {
  before = without_bullet(before);
  if (before.size() > 5 || before.find(' ') != string_view::npos) return false;
  while (!before.empty() && (before.back() == '.' || before.back() == ')')) before.remove_suffix(1);
  if (before.starts_with('(')) before.remove_prefix(1);
  return !before.empty() &&
         (before.size() == 1 || std::all_of(before.begin(), before.end(), is_ascii_digit) ||
          before.find_first_not_of("IVXLC") == string_view::npos);
}

/// Three dots end a sentence where they follow a word directly; four do always. Blanks may be between
/// dots.
bool dots_end(string_view before, string_view after, const SentenceRules& rules) {
  int dots = 0;
  bool spaced = false;
  while (before.ends_with('.') || before.ends_with(' ')) {
    spaced = before.back() == ' ';
    dots += spaced ? 0 : 1;
    before.remove_suffix(1);
  }
  return dots > 3 || !spaced || (begins_sentence(after, rules) && first_word(after) != "I");
}

/// "(Smith 55)." after a quotation: the stop that ends the sentence is after the parenthesis.
bool begins_citation(string_view after) {
  constexpr std::size_t kMaxBytes = 60;  // bytes
  if (!after.starts_with('(')) return false;
  const std::size_t close = after.substr(0, kMaxBytes).find(')');
  return close != string_view::npos && close + 1 < after.size() &&
         string_view(".,;").find(after[close + 1]) != string_view::npos &&
         after.substr(0, close).find_first_of(".!?") == string_view::npos;
}

/// "am 3. Oktober", "die 10. Klasse", "Friedrich II. von": the number `word` after `before`.
bool is_ordinal(string_view before, string_view word, string_view after, const SentenceRules& rules) {
  constexpr std::size_t kMaxOrdinalDigits = 3;
  if (rules.before_ordinal.empty()) return false;
  if (is_roman(word) && word.size() > 1) return !begins_sentence(after, rules);
  if (word.empty() || word.size() > kMaxOrdinalDigits ||
      !std::all_of(word.begin(), word.end(), is_ascii_digit))
    return false;
  if (rules.after_ordinal.has(case_folded(first_word(after)))) return true;
  before.remove_suffix(word.size());
  while (before.ends_with(' ')) before.remove_suffix(1);
  return !begins_sentence(after, rules) && rules.before_ordinal.has(case_folded(last_word(before, rules)));
}

/// "80 m": units end a sentence like any word.
bool is_unit(string_view before, string_view word) {
  constexpr auto kUnits = std::to_array<string_view>(
      {"cm", "g",  "h",  "ha", "kg",  "km", "l", "m",   "min", "mm",  "s",   "sec", "sek", "std",
       "t",  "zł", "кг", "км", "коп", "л",  "м", "мин", "мм",  "руб", "сек", "см",  "ч"});
  if (std::find(kUnits.begin(), kUnits.end(), word) == kUnits.end()) return false;
  before.remove_suffix(word.size());
  return before.size() > 1 && before.ends_with(' ') && is_ascii_digit(before[before.size() - 2]);
}

/// Goethestr. 12
bool is_street(const std::string& folded, const SentenceRules& rules) {
  const bool named = rules.language == Language::kGerman || rules.language == Language::kDutch;
  return named && folded.ends_with("str");
}

/// `before` ends with the word, its stop left out.
bool word_ends(string_view before, string_view word, string_view after, const SentenceRules& rules) {
  const bool english = rules.language == Language::kEnglish;
  if (!english && is_unit(before, word)) return !begins_digit(after);
  std::string folded = case_folded(english ? std::string(word) : joined_letters(before, word));
  if (rules.never_ends.has(folded)) return false;
  if (rules.end_lists.has(folded)) return !begins_digit(after);
  if (rules.may_end.has(folded)) return begins_sentence(after, rules);
  folded = case_folded(word);
  if (rules.never_ends.has(folded)) return false;
  if (rules.before_numeral.has(folded)) return !begins_digit(after);
  if (rules.before_number.has(folded) || is_street(folded, rules)) {
    const bool numbered = begins_digit(after) || (!english && is_roman(first_word(after)));
    return !numbered && begins_sentence(after, rules);
  }
  if (word.size() == 1 ? is_ascii_upper(word.front()) || (rules.bare_letters && is_ascii_lower(word.front()))
                       : rules.bare_letters && !rules.latin && is_one_letter(word))
    return initial_ends(before, word, after, rules);
  if (folded == "a.m" || folded == "p.m")
    return is_ascii_upper(word.front()) || begins_sentence(after, rules);
  if (rules.may_end.has(folded) || is_dotted(word, english)) return begins_sentence(after, rules);
  return !is_ordinal(before, word, after, rules);
}

bool full_stop_ends(string_view before, string_view after, const SentenceRules& rules) {
  if (before.ends_with("..") || before.ends_with(". .")) return dots_end(before, after, rules);
  before.remove_suffix(1);
  const auto word = last_word(before, rules);
  const SentenceRules* own = sentence_rules_of_script(word);
  return word_ends(before, word, after, own != nullptr ? *own : rules);
}

}  // namespace

bool is_sentence_end(string_view before, string_view after, Language language) {
  if (before.empty() || after.empty()) return true;
  const SentenceRules& rules = sentence_rules(language);
  const bool apostrophe = language == Language::kDutch && begins_apostrophe(after);
  if (!apostrophe && begins_lower(after)) return false;
  if (is_enumeration(before) || begins_citation(after)) return false;
  const auto whole = before;
  while (take_closing(before)) {
  }
  if (before.size() < whole.size() && goes_on_behind_quote(whole, before.size(), after)) return false;
  if (!before.ends_with('.')) return true;
  return full_stop_ends(before, after, rules);
}

bool is_further_end(string_view before, string_view after, Language language) {
  constexpr string_view kEllipsis = "\u2026";
  const auto word = first_word(after);
  const bool apostrophe = language == Language::kDutch && begins_apostrophe(after);
  if (!apostrophe && (word.empty() || !is_upper_case(first_character(word)))) return false;
  if (!before.ends_with(kEllipsis)) {
    auto stop = before;
    while (take_closing(stop)) {
    }
    return !stop.empty() && string_view(".!?").find(stop.back()) != string_view::npos &&
           is_sentence_end(before, after, language);
  }
  // In German nouns have capitals too, and a blank before it is usual.
  const bool capital_tells =
      language != Language::kGerman && !before.ends_with(std::string(" ").append(kEllipsis));
  const SentenceRules* own = sentence_rules_of_script(word);
  return capital_tells || begins_sentence(after, own != nullptr ? *own : sentence_rules(language));
}

}  // namespace nystrom
