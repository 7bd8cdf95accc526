#include "data/corpus/paragraphs.h"

namespace nystrom {
namespace {
constexpr std::string_view kBlanks = " \t\r\n\f\v";
}

bool is_blank(std::string_view line) {
  return line.find_first_not_of(kBlanks) == std::string_view::npos;
}

std::vector<std::string> paragraphs_of_lines(std::string_view text) {
  std::vector<std::string> paragraphs;
  for_each_line(text, [&](std::string_view line) {
    if (!is_blank(line)) paragraphs.emplace_back(line);
  });
  return paragraphs;
}

std::string lower_ascii(std::string_view text) {
  std::string folded(text);
  for (char& c : folded) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return folded;
}

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

std::string_view between(std::string_view text, std::string_view open, std::string_view close) {
  const std::size_t begin = text.find(open);
  if (begin == std::string_view::npos) return {};
  const std::size_t from = begin + open.size();
  const std::size_t end = text.find(close, from);
  return end == std::string_view::npos ? std::string_view() : text.substr(from, end - from);
}

}  // namespace nystrom
