#include "data/text/quoted_speech.h"

#include <algorithm>
#include <array>

#include "data/text/case_folding.h"
#include "data/text/sentence_rules.h"

namespace nystrom {
namespace {

using std::string_view;

template <std::size_t N>
bool begins_with_any(string_view text, const std::array<string_view, N>& parts) {
  return std::any_of(parts.begin(), parts.end(), [text](string_view part) { return text.starts_with(part); });
}
template <std::size_t N>
bool ends_with_any(string_view text, const std::array<string_view, N>& parts) {
  return std::any_of(parts.begin(), parts.end(), [text](string_view part) { return text.ends_with(part); });
}

/// Japanese: particles that join a quotation to what follows, and words that only look like them.
bool begins_with_particle(string_view after) {
  constexpr auto kParticles = std::to_array<string_view>(
      {"と", "って", "など", "なんて", "の", "を", "が", "に", "で", "は", "も", "だ", "という"});
  constexpr auto kWords = std::to_array<string_view>(
      {"とても", "ところ", "とにかく", "ともかく", "とうとう", "とき",   "など、", "なる",   "のち",
       "がん",   "にわか", "では",     "でも",     "でも、",   "です",   "はい",   "はじめ", "はるか",
       "もう",   "もし",   "もちろん", "もっと",   "だが",     "だから", "だれ"});
  return begins_with_any(after, kParticles) && !begins_with_any(after, kWords);
}

/// Chinese: a short clause that ends with a verb of speech.
bool begins_with_chinese_speech(string_view after) {
  constexpr std::size_t kMaxBytes = 36;  // bytes
  constexpr auto kStops = std::to_array<string_view>({"。", "，", "：", "！", "？", "；", "、", "“", "「"});
  constexpr auto kVerbs = std::to_array<string_view>(
      {"说", "說", "道", "问", "問", "答", "喊", "叫", "曰", "嚷", "告诉我", "告訴我"});
  constexpr auto kNouns =
      std::to_array<string_view>({"知道", "小说", "小說", "难道", "難道", "街道", "传说", "傳說", "听说",
                                  "聽說", "疑问", "疑問", "学问", "學問", "频道", "頻道", "味道"});
  const auto head = after.substr(0, kMaxBytes);
  std::size_t end = string_view::npos;
  for (const string_view stop : kStops) end = std::min(end, head.find(stop));
  if (end == string_view::npos) return false;
  const auto clause = head.substr(0, end);
  return ends_with_any(clause, kVerbs) && !ends_with_any(clause, kNouns);
}

/// A word of the clause that follows is a verb of speech: in Arabic its first, in Hindi any.
bool begins_with_speech(string_view after, const SentenceRules& rules) {
  constexpr std::size_t kMaxBytes = 120;  // bytes
  auto clause = after.substr(0, kMaxBytes);
  for (const string_view stop : {"।", "?", "!", ",", ".", "،", "؟", "“", "«"})
    clause = clause.substr(0, clause.find(stop));
  for (bool first = true; !clause.empty(); first = false) {
    const std::size_t end = std::min(clause.find(' '), clause.size());
    if (rules.speech.has(case_folded(clause.substr(0, end)))) return true;
    if (first && rules.language == Language::kArabic) return false;
    clause.remove_prefix(std::min(end + 1, clause.size()));
  }
  return false;
}

/// The full-width parenthesis that ends `before` began after the sentence's first character.
bool closes_inner_parenthesis(string_view before) {
  if (!before.ends_with("）")) return false;
  const std::size_t open = before.rfind("（");
  return open != string_view::npos && open > 0;
}

}  // namespace

bool goes_on_behind_quote(string_view before, std::size_t stop, string_view after) {
  if (static_cast<unsigned char>(after.front()) < 0xD8) return false;  // Latin, Greek, Cyrillic
  if (closes_inner_parenthesis(before)) return true;
  const auto closed = before.substr(stop);
  if (closed.find("」") != string_view::npos || closed.find("』") != string_view::npos)
    return begins_with_particle(after) || begins_with_chinese_speech(after);
  if (const SentenceRules* rules = sentence_rules_of_script(after)) return begins_with_speech(after, *rules);
  return begins_with_chinese_speech(after);
}

}  // namespace nystrom
