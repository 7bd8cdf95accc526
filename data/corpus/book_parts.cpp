#include "data/corpus/book_parts.h"

#include <algorithm>
#include <array>

#include "data/corpus/paragraphs.h"
#include "data/text/ascii.h"

namespace nystrom {
namespace {

using std::string_view;

constexpr std::size_t kShortBook = 20000;      // bytes; what is shorter has no title page
constexpr std::size_t kMaxFrontBytes = 40000;  // bytes in which the text begins
constexpr std::size_t kProse = 250;            // bytes of paragraphs in a row that read as prose
constexpr std::size_t kMinProseBytes = 60;     // bytes of such a paragraph
constexpr std::size_t kMaxHeadingBytes = 100;  // bytes
constexpr std::size_t kMaxCapitalsBytes = 60;  // bytes of a heading in capitals only

bool ends_like_a_sentence(string_view text) {
  for (const string_view mark : {"\"", "'", ")", "]", "\u201D", "\u2019"}) {
    if (text.ends_with(mark)) text.remove_suffix(mark.size());
  }
  return !text.empty() && string_view(".!?:;,-").find(text.back()) != string_view::npos;
}

bool reads_as_prose(string_view text) {
  if (text.size() < kMinProseBytes || !ends_like_a_sentence(text)) return false;
  const auto lower = static_cast<std::size_t>(std::ranges::count_if(text, is_ascii_lower));
  const auto others = static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return is_ascii_upper(c) || is_ascii_digit(c) || c == '$'; }));
  return lower > 6 * others;
}

/// "chapter iv", "book the second", "part 2": the word, then a number or "the"; what may follow is a title.
bool is_numbered_part(const std::string& folded) {
  constexpr auto kParts = std::to_array<string_view>(
      {"chapter ", "book ", "part ", "volume ", "canto ", "epoch ", "act ", "scene "});
  constexpr auto kNumbers = std::to_array<string_view>({"the ", "one", "two", "three", "four", "five", "six",
                                                        "seven", "eight", "nine", "ten", "first", "last"});
  for (const string_view part : kParts) {
    if (!folded.starts_with(part)) continue;
    const auto rest = string_view(folded).substr(part.size());
    const std::size_t end = std::min(rest.find_first_of(" .:-,;)]"), rest.size());
    const auto number = rest.substr(0, end);
    const bool counted = !number.empty() && (number.find_first_not_of("0123456789") == string_view::npos ||
                                             number.find_first_not_of("ivxlc") == string_view::npos);
    if (counted || std::ranges::any_of(kNumbers, [rest](string_view n) { return rest.starts_with(n); }))
      return true;
  }
  return false;
}

/// Entries run together: "i. the door 1 ii. the window 17 ...", a sixth or more of the words numbers.
bool is_numbered_list(string_view folded) {
  std::size_t words = 0, numbers = 0;
  for (std::size_t at = 0; at < folded.size();) {
    const std::size_t end = std::min(folded.find(' ', at), folded.size());
    auto word = folded.substr(at, end - at);
    while (word.ends_with('.')) word.remove_suffix(1);
    at = end + 1;
    if (word.empty()) continue;
    ++words;
    if (word.find_first_not_of("0123456789") == string_view::npos ||
        word.find_first_not_of("ivxlc") == string_view::npos)
      ++numbers;
  }
  return numbers >= 4 && numbers * 6 >= words;
}

}  // namespace

std::size_t front_matter(const std::vector<std::string>& paragraphs) {
  std::size_t size = 0;
  for (const auto& paragraph : paragraphs) size += paragraph.size();
  if (size < kShortBook) return 0;
  std::size_t seen = 0, begin = 0, prose = 0;
  for (std::size_t i = 0; i < paragraphs.size() && seen < std::min(kMaxFrontBytes, size / 4); ++i) {
    seen += paragraphs[i].size();
    if (reads_as_prose(paragraphs[i])) {
      prose += paragraphs[i].size();
      if (prose >= kProse) return begin;
    } else {
      begin = i + 1;
      prose = 0;
    }
  }
  return 0;
}

bool is_heading(string_view paragraph) {
  paragraph = trimmed(paragraph);
  if (paragraph.empty() || paragraph.size() > kMaxHeadingBytes) return false;
  const bool quoted =
      paragraph.find_first_of("\"!?") != string_view::npos || paragraph.find("\u201C") != string_view::npos;
  const std::string folded = lower_ascii(paragraph);
  if (is_numbered_part(folded))
    return !quoted && (is_ascii_upper(paragraph.front()) || paragraph.front() == '[');
  const auto upper = std::ranges::count_if(paragraph, is_ascii_upper);
  if (quoted || upper < 2 || std::ranges::any_of(paragraph, is_ascii_lower))
    return upper > 0 && paragraph.find_first_not_of("IVXLC.") == string_view::npos && paragraph != "I.";
  return paragraph.size() <= kMaxCapitalsBytes;
}

bool is_page_number(std::string_view paragraph) {
  if (paragraph.size() > 16) return false;
  std::string text = lower_ascii(paragraph);
  for (const std::string_view word : {"page", "pg", "p."}) {
    if (const auto at = text.find(word); at != std::string::npos) text.erase(at, word.size());
  }
  const bool digits = text.find_first_of("0123456789") != std::string::npos;
  return digits && text.find_first_not_of("0123456789 -[](){}.|") == std::string::npos &&
         (text.size() < paragraph.size() || text.find('.') == std::string::npos);
}

bool ContentsTable::holds(std::string_view paragraph) {
  constexpr std::size_t kMaxEntryBytes = 120;  // bytes
  const std::string text = lower_ascii(trimmed(paragraph.substr(0, 4000)));
  if (text == "contents" || text == "contents." || text == "table of contents" ||
      text == "list of illustrations")
    return inside_ = true;
  if (!inside_) return text.starts_with("contents chapter") && (inside_ = true);
  std::size_t chapters = 0;
  for (auto at = text.find("chapter"); at != std::string::npos; at = text.find("chapter", at + 1)) ++chapters;
  const bool ends_with_page = !text.empty() && text.back() >= '0' && text.back() <= '9';
  const bool numbered = text.find_first_not_of("ivxlc0123456789") != 0 && text.find('.') < 8;
  // A chapter's own heading comes before text; an entry names page or title.
  return inside_ = chapters > 1 || is_numbered_list(text) ||
                   (text.size() <= kMaxEntryBytes &&
                    (ends_with_page || (numbered && text.size() > 8 && !text.ends_with('.'))));
}

}  // namespace nystrom
