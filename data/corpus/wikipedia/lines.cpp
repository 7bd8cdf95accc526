// Pass 2 of wiki markup: lines to paragraphs.

#include <algorithm>
#include <array>

#include "data/corpus/paragraphs.h"
#include "data/corpus/wikipedia/wikitext.h"
#include "data/text/utf8.h"

namespace nystrom {
namespace {

using std::string_view;

/// The level of a heading ("== History ==" has 2) and its title; 0 if the line is not a heading.
int heading(string_view line, string_view& title) {
  line = trimmed(line);
  std::size_t level = 0;
  while (level < 6 && level < line.size() && line[level] == '=') ++level;
  if (level == 0 || line.size() < 2 * level + 1 || !line.ends_with('=')) return 0;
  std::size_t end = line.size();
  while (end > level && line[end - 1] == '=') --end;
  title = trimmed(line.substr(level, end - level));
  return static_cast<int>(level);
}

/// Bytes from U+0080 count as letters: they mostly are.
bool has_words(string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    const auto u = static_cast<unsigned char>(c);
    return u >= 0x80 || (u >= '0' && u <= '9') || ((u | 0x20U) >= 'a' && (u | 0x20U) <= 'z');
  });
}

/// Marks that end a sentence, in any script, or close a quotation after that.
constexpr auto kStops =
    std::to_array<string_view>({".", "!", "?", "\u3002", "\uFF01", "\uFF1F", "\uFF0E", "\uFF61", "\u061F",
                                "\u06D4", "\u0964", "\u0965", "\u0589", "\u1362", "\u2026\u2026"});
constexpr auto kClosers =
    std::to_array<string_view>({"\"", "\u201D", ")", "\u300D", "\u300F", "\uFF09", "\u00BB", "\u201C"});

/// Bytes, but a character of Greek, Cyrillic, Arabic, an Indic script and the like counts as one, as a letter
/// of Latin does.
std::size_t length_of(string_view text) {
  std::size_t length = text.size();
  for (const char c : text) {
    const auto u = static_cast<unsigned char>(c);
    if (u >= 0xCD && u < 0xE0) length -= 1;
    if (u == 0xE0 || u == 0xE1) length -= 2;
  }
  return length;
}

/// Items of a list that are not sentences: names, titles, figures.
bool is_fragment(string_view text) {
  constexpr std::size_t kMaxLength = 80;
  for (const string_view mark : kClosers) {
    if (text.ends_with(mark)) text.remove_suffix(mark.size());
  }
  return length_of(text) <= kMaxLength &&
         std::none_of(kStops.begin(), kStops.end(),
                      [text](string_view stop) { return text.ends_with(stop); });
}

class Lines {
 public:
  Lines(const WikiSite& site, Reasons& dropped) : site_(site), dropped_(dropped) {}

  void add(string_view line) {
    string_view title;
    if (const int level = heading(line, title)) {
      finish();
      if (skip_level_ == 0 || level <= skip_level_) {
        const std::string folded = wiki_folded(title);
        // Of books, or about a country's writers.
        lists_only_ = site_.works.has(folded);
        skip_level_ = lists_only_ || site_.sources.has(folded) ? level : 0;
      }
      return drop(skip_level_ == 0 ? "headings" : "sections of sources", line);
    }
    const auto text = trimmed(line);
    if (skip_level_ != 0 && (!lists_only_ || text.find_first_of("*#:;") == 0))
      return drop("sections of sources", line);
    if (text.empty() || text.starts_with("----")) return finish();
    // Rows of tables whose beginning was in a template or missing.
    if (text.front() == '|' || text.starts_with("{|") ||
        (text.front() == '!' &&
         (text.find("||") != string_view::npos || text.find("!!") != string_view::npos))) {
      finish();
      return drop("tables", line);
    }
    const std::size_t marks = std::min(text.find_first_not_of("*#:;"), text.size());
    if (marks > 0) finish();
    item_ = text.substr(0, marks).find_first_of("*#;") != string_view::npos;
    const auto content = trimmed(text.substr(marks));
    if (!paragraph_.empty() && !content.empty()) paragraph_ += ' ';
    paragraph_ += content;
    if (marks > 0) finish();
  }

  std::vector<std::string> take() {
    finish();
    return std::move(paragraphs_);
  }

 private:
  void drop(string_view reason, string_view line) { dropped_[std::string(reason)] += count_characters(line); }
  void finish() {
    if (paragraph_.empty()) return;
    auto text = mended(paragraph_);
    if (item_ && is_fragment(text))
      drop("fragments of lists", text);
    else if (has_words(text))
      paragraphs_.push_back(std::move(text));
    paragraph_.clear();
  }

  const WikiSite& site_;
  Reasons& dropped_;
  std::vector<std::string> paragraphs_;
  std::string paragraph_;
  int skip_level_ = 0;
  bool lists_only_ = false;  // of the section that is skipped
  bool item_ = false;        // of a list, or its heading
};

}  // namespace

std::vector<std::string> wiki_paragraphs(string_view text, const WikiSite& site, Reasons& dropped) {
  Lines lines(site, dropped);
  for_each_line(text, [&lines](string_view line) { lines.add(line); });
  return lines.take();
}

Extraction wiki_prose(string_view wikitext, const WikiSite& site) {
  Extraction result;
  result.characters = count_characters(wikitext);
  const auto text = wiki_inline(wikitext, site, result.dropped);
  result.paragraphs = wiki_paragraphs(text, site, result.dropped);
  std::int64_t rest = result.characters;
  for (const auto& [reason, count] : result.dropped) rest -= count;
  for (const auto& paragraph : result.paragraphs) rest -= count_characters(paragraph);
  result.dropped["markup"] += rest;
  return result;
}

}  // namespace nystrom
