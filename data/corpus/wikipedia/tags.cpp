#include "data/corpus/wikipedia/tags.h"

#include <algorithm>
#include <array>

#include "data/corpus/paragraphs.h"
#include "data/text/ascii.h"

namespace nystrom {
namespace {

using std::string_view;

constexpr std::size_t kMaxTagBytes = 1500;    // bytes; a reference's name may be long
constexpr std::size_t kMaxNameBytes = 16;     // bytes
constexpr std::size_t kMaxBlanks = 16;        // bytes up to the end of "</ref  >"
constexpr std::size_t kMaxFormulaBytes = 24;  // bytes

struct Known {
  string_view name;
  TagKind kind;
};

constexpr auto kTags = std::to_array<Known>({
    {"blockquote", TagKind::kBlock},
    {"br", TagKind::kLineBreak},
    {"categorytree", TagKind::kOpaque},
    {"ce", TagKind::kFormula},
    {"center", TagKind::kBlock},
    {"chem", TagKind::kFormula},
    {"dd", TagKind::kBlock},
    {"div", TagKind::kBlock},
    {"dl", TagKind::kBlock},
    {"dt", TagKind::kBlock},
    {"gallery", TagKind::kOpaque},
    {"graph", TagKind::kOpaque},
    {"h1", TagKind::kBlock},
    {"h2", TagKind::kBlock},
    {"h3", TagKind::kBlock},
    {"h4", TagKind::kBlock},
    {"hiero", TagKind::kOpaque},
    {"hr", TagKind::kBlock},
    {"imagemap", TagKind::kOpaque},
    {"includeonly", TagKind::kOpaque},
    {"indicator", TagKind::kOpaque},
    {"inputbox", TagKind::kOpaque},
    {"li", TagKind::kBlock},
    {"mapframe", TagKind::kOpaque},
    {"maplink", TagKind::kOpaque},
    {"math", TagKind::kFormula},
    {"nowiki", TagKind::kVerbatim},
    {"ol", TagKind::kBlock},
    {"p", TagKind::kBlock},
    {"poem", TagKind::kBlock},
    {"pre", TagKind::kOpaque},
    {"ref", TagKind::kReference},
    {"references", TagKind::kReference},
    {"score", TagKind::kOpaque},
    {"script", TagKind::kOpaque},
    {"source", TagKind::kOpaque},
    {"style", TagKind::kOpaque},
    {"syntaxhighlight", TagKind::kOpaque},
    {"table", TagKind::kTable},
    {"templatedata", TagKind::kOpaque},
    {"templatestyles", TagKind::kOpaque},
    {"timeline", TagKind::kOpaque},
    {"ul", TagKind::kBlock},
});
static_assert(std::is_sorted(kTags.begin(), kTags.end(),
                             [](const Known& a, const Known& b) { return a.name < b.name; }));

/// Position of the tag's ">": not inside quotes, and before another "<".
std::size_t end_of_tag(string_view text) {
  const std::size_t limit = std::min(text.size(), kMaxTagBytes);
  for (std::size_t i = 1; i < limit; ++i) {
    if (text[i] == '>') return i;
    if (text[i] == '<') return string_view::npos;
    if (text[i] != '"') continue;
    const std::size_t close = text.substr(0, limit).find_first_of("\"<>\n", i + 1);
    if (close == string_view::npos) return string_view::npos;
    // A quote that does not close: the tag ends at the first ">" after all.
    i = text[close] == '"' ? close : close - 1;
  }
  return string_view::npos;
}

bool same_letters(string_view a, string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return (x | 0x20) == (y | 0x20); });
}

/// A number with or without its sign, or a variable (not the letters of "5th", "1er", "3a").
bool begins_exponent(string_view content) {
  for (const string_view sign : {"-", "+", "&minus;", "\u2212", "\u2013", "\u00B1"})
    if (content.starts_with(sign)) return true;
  if (content.empty()) return false;
  if (is_ascii_digit(content.front())) return true;
  const bool variable = string_view("knxyz").find(content.front()) != string_view::npos;
  return variable && (content.size() == 1 || !is_ascii_letter(content[1]));
}

/// Digits, the end of the superscript, and the stroke of a fraction.
bool is_numerator(string_view content) {
  content.remove_prefix(std::min(content.find_first_not_of("0123456789"), content.size()));
  constexpr string_view kEnd = "</sup>";
  if (!same_letters(content.substr(0, kEnd.size()), kEnd)) return false;
  content.remove_prefix(kEnd.size());
  return content.starts_with('/') || content.starts_with("\u2044") || content.starts_with("&frasl;");
}

}  // namespace

Tag parse_tag(string_view text) {
  Tag tag;
  std::size_t at = 1;
  tag.closes = text.substr(at).starts_with('/');
  if (tag.closes) ++at;
  const std::size_t begin = at;
  while (at < text.size() && at - begin <= kMaxNameBytes &&
         (is_ascii_letter(text[at]) || (at > begin && is_ascii_digit(text[at]))))
    ++at;
  tag.name = text.substr(begin, at - begin);
  if (tag.name.empty() || tag.name.size() > kMaxNameBytes || at >= text.size()) return tag;
  if (const char c = text[at]; c != '>' && c != '/' && c != ' ' && c != '\n' && c != '\t') return tag;
  const std::size_t end = end_of_tag(text);
  if (end == string_view::npos) return tag;
  tag.length = end + 1;
  tag.empty = text[end - 1] == '/';
  const auto folded = lower_ascii(tag.name);
  const auto known = std::lower_bound(kTags.begin(), kTags.end(), folded,
                                      [](const Known& k, const std::string& name) { return k.name < name; });
  if (known != kTags.end() && known->name == folded) tag.kind = known->kind;
  return tag;
}

std::size_t find_closing(string_view text, string_view name, std::size_t from) {
  for (std::size_t at = text.find("</", from); at != string_view::npos; at = text.find("</", at + 2)) {
    if (!same_letters(text.substr(at + 2, name.size()), name)) continue;
    const auto after = text.substr(at + 2 + name.size(), kMaxBlanks);
    const std::size_t end = after.find_first_not_of(" \t\n");
    if (end != string_view::npos && after[end] == '>') return at;
  }
  return string_view::npos;
}

string_view script_mark(string_view before, bool superscript, string_view content) {
  const bool behind_digit = !before.empty() && is_ascii_digit(before.back());
  const bool behind_bracket = superscript && before.ends_with(')');
  if (!behind_digit && !behind_bracket) return {};
  content.remove_prefix(std::min(content.find_first_not_of(" '"), content.size()));
  if (!begins_exponent(content)) return {};
  if (!superscript) return "_";
  return is_numerator(content) ? " " : "^";
}

string_view simple_formula(string_view formula) {
  formula = trimmed(formula);
  const bool simple =
      formula.size() <= kMaxFormulaBytes && std::all_of(formula.begin(), formula.end(), [](char c) {
        return is_ascii_letter(c) || is_ascii_digit(c) ||
               string_view(" +-=<>*/.,()!'").find(c) != string_view::npos;
      });
  return simple ? formula : string_view();
}

}  // namespace nystrom
