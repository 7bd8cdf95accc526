#pragma once
// Paragraphs, lines and parts of a text: helpers shared by several corpora.

#include <string>
#include <string_view>
#include <vector>

namespace nystrom {

/// Calls f(line) for each line of `text`, without its end ("\n", "\r\n", "\r").
template <class F>
void for_each_line(std::string_view text, const F& f) {
  while (!text.empty()) {
    const std::size_t end = text.find_first_of("\r\n");
    f(text.substr(0, end));
    if (end == std::string_view::npos) return;
    text.remove_prefix(end + (text.substr(end).starts_with("\r\n") ? 2 : 1));
  }
}

/// True for a line that has only blanks and tabs.
bool is_blank(std::string_view line);

/// One paragraph for each line that is not blank.
std::vector<std::string> paragraphs_of_lines(std::string_view text);

/// ASCII letters folded to lower case.
std::string lower_ascii(std::string_view text);

/// Without white space at either end.
std::string_view trimmed(std::string_view text);

/// The text between the first `open` and the next `close`; empty if there is none.
std::string_view between(std::string_view text, std::string_view open, std::string_view close);

}  // namespace nystrom
