#include "data/text/list_items.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string>

#include "data/text/ascii.h"

namespace nystrom {
namespace {

using std::string_view;

constexpr auto kBullets = std::to_array<string_view>({"\u2022", "\u2043", "\u25E6", "\u2023"});
constexpr std::size_t kMaxDigits = 3;

/// The bullet that the text begins with, or nothing.
string_view bullet_of(string_view text) {
  for (const string_view bullet : kBullets) {
    if (text.starts_with(bullet)) return bullet;
  }
  return {};
}

/// A mark's number or letter and what closes it.
struct Mark {
  int value = 0;  // of letters their index from 'a'
  bool letter = false;
  string_view close;  // "." or ")" or ".)"; empty: no mark

  [[nodiscard]] std::string next() const {
    std::string text =
        letter ? std::string(1, static_cast<char>('a' + value + 1)) : std::to_string(value + 1);
    return text.append(close);
  }
};

Mark mark_of(string_view text) {
  std::size_t end = 0;
  while (end < text.size() && end <= kMaxDigits && is_ascii_digit(text[end])) ++end;
  Mark mark;
  if (end > 0 && end <= kMaxDigits) {
    std::from_chars(text.data(), text.data() + end, mark.value);
  } else if (end == 0 && !text.empty() && text[0] >= 'a' && text[0] < 'z') {
    mark = {.value = text[0] - 'a', .letter = true, .close = {}};
    end = 1;
  } else {
    return {};
  }
  for (const string_view close : {string_view(".)"), string_view("."), string_view(")")}) {
    if (text.substr(end).starts_with(close) && text.substr(end + close.size()).starts_with(' ')) {
      mark.close = close;
      return mark;
    }
  }
  return {};
}

/// Position of `mark` with blanks around it and a capital letter next, at or after `from`; npos:
/// nowhere.
std::size_t find_mark(string_view text, string_view mark, std::size_t from) {
  for (std::size_t at = text.find(mark, from); at != string_view::npos; at = text.find(mark, at + 1)) {
    const auto after = text.substr(at + mark.size());
    if (at > 0 && text[at - 1] == ' ' && after.size() > 1 && after[0] == ' ' && after[1] >= 'A' &&
        after[1] <= 'Z')
      return at;
  }
  return string_view::npos;
}

}  // namespace

string_view without_bullet(string_view text) {
  text.remove_prefix(bullet_of(text).size());
  while (text.starts_with(' ')) text.remove_prefix(1);
  return text;
}

std::vector<std::size_t> list_items(string_view paragraph) {
  std::vector<std::size_t> items;
  if (const auto bullet = bullet_of(paragraph); !bullet.empty()) {
    for (std::size_t at = paragraph.find(bullet, 1); at != string_view::npos;
         at = paragraph.find(bullet, at + 1)) {
      if (paragraph[at - 1] == ' ') items.push_back(at);
    }
    return items;
  }
  Mark mark = mark_of(paragraph);
  while (!mark.close.empty()) {
    const std::size_t at = find_mark(paragraph, mark.next(), items.empty() ? 1 : items.back() + 1);
    if (at == string_view::npos) break;
    items.push_back(at);
    mark = mark_of(paragraph.substr(at));
  }
  return items;
}

}  // namespace nystrom
