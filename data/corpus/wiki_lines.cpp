// Pass 2 of wiki markup: lines to paragraphs.

#include <algorithm>
#include <array>

#include "data/corpus/paragraphs.h"
#include "data/corpus/wikitext.h"
#include "data/text/utf8.h"

namespace nystrom {
namespace {

using std::string_view;

// Sections that list sources and links rather than tell something.
constexpr auto kListSections = std::to_array<string_view>({"bibliography",
                                                           "citations",
                                                           "external link",
                                                           "external links",
                                                           "footnotes",
                                                           "further reading",
                                                           "gallery",
                                                           "literature",
                                                           "navigation",
                                                           "notes",
                                                           "notes and references",
                                                           "notes, citations, and references",
                                                           "reference",
                                                           "references",
                                                           "references and notes",
                                                           "references and sources",
                                                           "related articles",
                                                           "see also",
                                                           "sources",
                                                           "sources and further reading",
                                                           "works cited"});

/// The level of a heading ("== History ==" has 2) and its title; 0 if the line is none.
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

/// Of a list's items those that are no sentences: names, titles, figures.
bool is_fragment(string_view text) {
  constexpr std::size_t kLongest = 80;  // bytes
  for (const string_view mark : {"\"", "\u201D", ")"}) {
    if (text.ends_with(mark)) text.remove_suffix(mark.size());
  }
  return text.size() <= kLongest &&
         (text.empty() || string_view(".!?").find(text.back()) == string_view::npos);
}

bool is_separator(char c) {
  return c == ' ' || c == ',' || c == ';' || c == ':' || c == '.' || c == '/' || c == '-' || c == '\t';
}

class Lines {
 public:
  explicit Lines(Reasons& dropped) : dropped_(dropped) {}

  void add(string_view line) {
    string_view title;
    if (const int level = heading(line, title)) {
      finish();
      if (skip_level_ == 0 || level <= skip_level_) {
        skip_level_ = is_list_section(title) ? level : 0;
        // Of books, or about a country's writers.
        lists_only_ = lower_ascii(title) == "literature";
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
  static bool is_list_section(string_view title) {
    const auto folded = lower_ascii(title);
    return std::binary_search(kListSections.begin(), kListSections.end(), string_view(folded));
  }
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

  Reasons& dropped_;
  std::vector<std::string> paragraphs_;
  std::string paragraph_;
  int skip_level_ = 0;
  bool lists_only_ = false;  // of the section that is skipped
  bool item_ = false;        // of a list, or its heading
};

/// Length of the parenthesis (or pair of quotes or brackets) at `text` that holds nothing, 0 if it holds
/// something.
std::size_t empty_pair(string_view text) {
  if (text.starts_with("\"\"")) return 2;
  const char close = text.front() == '(' ? ')' : ']';
  std::size_t i = 1;
  while (i < text.size() && is_separator(text[i])) ++i;
  return i < text.size() && text[i] == close ? i + 1 : 0;
}

}  // namespace

std::string mended(string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool ends_word = i + 1 == text.size() || text[i + 1] == ' ';
    switch (c) {
      case '(':
      case '[':
      case '"':
        if (const std::size_t length =
                c == '"' && !text.substr(i).starts_with("\"\"") ? 0 : empty_pair(text.substr(i))) {
          i += length - 1;
        } else {
          out += c;
          // "( , born 1900)" after its first part was removed
          while (c == '(' && i + 1 < text.size() &&
                 (text[i + 1] == ' ' || text[i + 1] == ',' || text[i + 1] == ';'))
            ++i;
        }
        break;
      case ')':
        while (!out.empty() && (out.back() == ' ' || out.back() == ',' || out.back() == ';')) out.pop_back();
        out += c;
        break;
      case ' ':
        if (!out.empty() && out.back() != ' ') out += c;
        break;
      case ',':
      case ';':
      case '.':
      case ':':
        if (ends_word && out.ends_with(' ')) out.pop_back();
        if (c == ',' && (out.ends_with(',') || out.ends_with(':'))) break;
        if (c == '.' && out.ends_with(':')) out.pop_back();  // of "it is: <formula>."
        out += c;
        break;
      default:
        out += c;
    }
  }
  while (out.ends_with(' ')) out.pop_back();
  return out;
}

std::vector<std::string> wiki_paragraphs(string_view text, Reasons& dropped) {
  Lines lines(dropped);
  for_each_line(text, [&lines](string_view line) { lines.add(line); });
  return lines.take();
}

Extraction wiki_prose(string_view wikitext, const WikiNamespaces& namespaces) {
  Extraction result;
  result.characters = count_characters(wikitext);
  const auto text = wiki_inline(wikitext, namespaces, result.dropped);
  result.paragraphs = wiki_paragraphs(text, result.dropped);
  std::int64_t rest = result.characters;
  for (const auto& [reason, count] : result.dropped) rest -= count;
  for (const auto& paragraph : result.paragraphs) rest -= count_characters(paragraph);
  result.dropped["markup"] += rest;
  return result;
}

}  // namespace nystrom
