// English abbreviations and what may follow them.

#include <algorithm>
#include <array>
#include <string_view>

#include "data/text/list_items.h"
#include "data/text/sentences.h"
#include "data/text/utf8.h"

namespace nystrom {
namespace {

using std::string_view;

template <std::size_t N>
constexpr std::array<string_view, N> sorted_words(std::array<string_view, N> words) {
  std::sort(words.begin(), words.end());
  return words;
}

/// A title or the like: a name or an explanation follows, never a new sentence. Lower case.
constexpr auto kNeverEnds = sorted_words(std::to_array<string_view>(
    {"adm",    "approx", "apt",  "brig", "capt", "cf",  "cmdr", "col",  "comdr", "cpl",   "dr",  "e.g",
     "eg",     "esp",    "ft",   "gen",  "gov",  "hon", "i.e",  "ie",   "insp",  "lieut", "lt",  "maj",
     "messrs", "mlle",   "mme",  "mr",   "mrs",  "ms",  "msgr", "mt",   "pres",  "prof",  "pvt", "rep",
     "rev",    "sen",    "sens", "sgt",  "sr",   "st",  "ste",  "supt", "viz",   "vs"}));

/// Before a number these belong to it; before anything else they end nothing unless a sentence clearly
/// begins.
constexpr auto kBeforeNumber = sorted_words(std::to_array<string_view>(
    {"apr",  "art", "aug", "c",   "ca",  "ch",  "chap", "dec", "ed",   "feb", "fig",
     "figs", "jan", "jul", "jun", "mar", "n°",  "no",   "nos", "nov",  "nr",  "oct",
     "op",   "p",   "par", "pp",  "pt",  "sec", "sect", "sep", "sept", "vol", "vols"}));

/// May stand at a sentence's end as well as inside one: the next word decides.
constexpr auto kMayEnd = sorted_words(std::to_array<string_view>(
    {"a.d", "a.m", "al",  "assn", "ave", "b.c", "bldg", "blvd", "bros", "co",   "corp", "dept", "est", "etc",
     "inc", "jr",  "ltd", "m.d",  "mfg", "p.m", "ph.d", "rd",   "ret",  "univ", "u.k",  "u.n",  "u.s"}));

/// Words that begin sentences far more often than names. Lower case.
constexpr auto kStarters = sorted_words(std::to_array<string_view>(
    {"a",    "after", "all",   "although", "an",   "and",    "are",   "as",   "at",      "because", "before",
     "but",  "by",    "did",   "do",       "does", "during", "each",  "even", "every",   "for",     "from",
     "had",  "has",   "have",  "he",       "her",  "here",   "his",   "how",  "however", "i",       "if",
     "in",   "is",    "it",    "its",      "like", "many",   "most",  "my",   "no",      "not",     "now",
     "of",   "on",    "once",  "one",      "or",   "other",  "our",   "she",  "since",   "so",      "some",
     "such", "that",  "the",   "their",    "then", "there",  "these", "they", "this",    "those",   "though",
     "to",   "under", "until", "was",      "we",   "were",   "what",  "when", "where",   "while",   "who",
     "why",  "will",  "with",  "you",      "your"}));

template <std::size_t N>
bool holds(const std::array<string_view, N>& words, string_view word) {
  return std::binary_search(words.begin(), words.end(), word);
}

bool is_upper(char c) {
  return c >= 'A' && c <= 'Z';
}
bool is_lower(char c) {
  return c >= 'a' && c <= 'z';
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

std::string lower(string_view word) {
  std::string text(word);
  for (char& c : text) c = is_upper(c) ? static_cast<char>(c - 'A' + 'a') : c;
  return text;
}

/// Takes one closing (opening) quote or bracket off the end (front); false if there is none.
bool take_closing(string_view& text) {
  for (const string_view mark : {"\"", "'", ")", "]", "}", "\u2019", "\u201D", "\u00BB", "\u203A"}) {
    if (!text.ends_with(mark)) continue;
    text.remove_suffix(mark.size());
    return true;
  }
  return false;
}
bool take_opening(string_view& text) {
  for (const string_view mark : {"\"", "'", "(", "[", "{", "*", "\u2018", "\u201C", "\u00AB", "\u2039",
                                 "\u2014", "\u2013", "-", " "}) {
    if (!text.starts_with(mark)) continue;
    text.remove_prefix(mark.size());
    return true;
  }
  return false;
}

/// The last word of a text: back to a blank, an opening bracket or quote, a long dash.
string_view last_word(string_view text) {
  if (const std::size_t cut = text.find_last_of(" (\"[/"); cut != string_view::npos)
    text.remove_prefix(cut + 1);
  for (const string_view mark : {"\u2014", "\u201C", "\u2018"}) {
    if (const std::size_t cut = text.rfind(mark); cut != string_view::npos)
      text.remove_prefix(cut + mark.size());
  }
  return text;
}

/// The first word of a text, of ASCII letters.
string_view first_word(string_view text) {
  while (take_opening(text)) {
  }
  std::size_t end = 0;
  while (end < text.size() && (is_upper(text[end]) || is_lower(text[end]))) ++end;
  return text.substr(0, end);
}

bool begins_sentence(string_view after) {
  const auto word = first_word(after);
  return !word.empty() && is_upper(word.front()) && holds(kStarters, lower(word));
}

bool begins_lower(string_view after) {
  while (take_opening(after)) {
  }
  if (after.empty()) return false;
  const std::size_t length = utf8_sequence(after);
  if (length == 1) return is_lower(after.front());
  const char32_t c = length == 2 ? utf8_decode(after.data(), 2) : 0;
  return c >= 0xDF && c <= 0xFF && c != 0xF7;
}

/// "U.S", "Ph.D", "e.g": letters with stops between.
bool is_dotted(string_view word) {
  if (word.size() < 3 || word.find('.') == string_view::npos) return false;
  return std::all_of(word.begin(), word.end(),
                     [](char c) { return is_upper(c) || is_lower(c) || c == '.'; }) &&
         word.find("..") == string_view::npos;
}

/// A letter with a stop is an initial, but for "you and I." and where a sentence clearly begins.
bool initial_ends(string_view before, string_view word, string_view after) {
  if (begins_sentence(after)) return true;
  if (word != "I") return false;
  before.remove_suffix(std::min(before.size(), word.size() + 1));
  while (!before.empty() && before.back() == ' ') before.remove_suffix(1);
  const auto previous = last_word(before);
  return !previous.empty() && is_lower(previous.front());
}

/// An enumeration's number or letter alone ("1.", "a.", "IV.") belongs to what follows.
bool is_enumeration(string_view before) {
  before = without_bullet(before);
  if (before.size() > 5 || before.find(' ') != string_view::npos) return false;
  while (!before.empty() && (before.back() == '.' || before.back() == ')')) before.remove_suffix(1);
  if (before.starts_with('(')) before.remove_prefix(1);
  return !before.empty() && (before.size() == 1 || std::all_of(before.begin(), before.end(), is_digit) ||
                             before.find_first_not_of("IVXLC") == string_view::npos);
}

/// Three dots end a sentence where they follow a word directly; four do always. Blanks may stand between
/// dots.
bool ellipsis_ends(string_view before, string_view after) {
  int dots = 0;
  bool spaced = false;
  while (before.ends_with('.') || before.ends_with(' ')) {
    spaced = before.back() == ' ';
    dots += spaced ? 0 : 1;
    before.remove_suffix(1);
  }
  return dots > 3 || !spaced || (begins_sentence(after) && first_word(after) != "I");
}

/// "(Smith 55)." after a quotation: the stop that ends the sentence stands behind the parenthesis.
bool begins_citation(string_view after) {
  constexpr std::size_t kLongest = 60;  // bytes
  if (!after.starts_with('(')) return false;
  const std::size_t close = after.substr(0, kLongest).find(')');
  return close != string_view::npos && close + 1 < after.size() &&
         string_view(".,;").find(after[close + 1]) != string_view::npos &&
         after.substr(0, close).find_first_of(".!?") == string_view::npos;
}

bool full_stop_ends(string_view before, string_view after) {
  if (before.ends_with("..") || before.ends_with(". .")) return ellipsis_ends(before, after);
  const auto stop = before;
  before.remove_suffix(1);
  const auto word = last_word(before);
  const auto folded = lower(word);
  if (holds(kNeverEnds, folded)) return false;
  const char next = after.empty() ? ' ' : after.front();
  if (holds(kBeforeNumber, folded)) return !is_digit(next) && (folded == "no" || begins_sentence(after));
  if (word.size() == 1 && is_upper(word.front())) return initial_ends(stop, word, after);
  if (folded == "a.m" || folded == "p.m") return is_upper(word.front()) || begins_sentence(after);
  if (holds(kMayEnd, folded) || is_dotted(word)) return begins_sentence(after);
  return true;
}

}  // namespace

bool is_sentence_end(string_view before, string_view after) {
  if (before.empty() || after.empty()) return true;
  if (begins_lower(after)) return false;
  if (is_enumeration(before) || begins_citation(after)) return false;
  while (take_closing(before)) {
  }
  if (!before.ends_with('.')) return true;
  return full_stop_ends(before, after);
}

}  // namespace nystrom
