#include "data/tasks/conll.h"

#include <algorithm>
#include <utility>

#include "data/tasks/records.h"
#include "data/text/ascii.h"

namespace nystrom {
namespace {

constexpr std::string_view kDocument = "-DOCSTART-";

bool is_number(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, is_ascii_digit);
}

/// "3-4" with '-', "8.1" with '.'.
bool is_pair(std::string_view text, char separator) {
  const std::size_t at = text.find(separator);
  return at != text.npos && is_number(text.substr(0, at)) && is_number(text.substr(at + 1));
}

bool has_tab(std::string_view line) {
  return line.find('\t') != line.npos;
}

bool is_end(const std::string& line) {
  return line.starts_with(kDocument) || trimmed_cell(line).empty();
}

}  // namespace

std::vector<std::string> conll_columns(const std::string& line) {
  std::vector<std::string> columns;
  if (has_tab(line)) {
    for (const auto& part : split(line, "\t")) columns.push_back(trimmed_cell(part));
    return columns;
  }
  for (auto& part : split(line, " "))
    if (!part.empty()) columns.push_back(std::move(part));
  return columns;
}

bool ConllLines::see(const std::string& line) {
  if (width_ > 0 || line.starts_with('#') || is_end(line)) return width_ > 0;
  const auto columns = conll_columns(line);
  width_ = columns.size();
  tabs_ = has_tab(line);
  const std::string& first = columns[0];
  numbered_ = first == "0" || first == "1" || first.starts_with("1-") || first.starts_with("0.");
  return true;
}

// A line of as many columns as words have is a comment only where it says so: "# KEY = VALUE", "# id VALUE
// …".
bool ConllLines::is_comment(const std::string& line) const {
  if (width_ == 0 || !line.starts_with('#')) return false;
  const auto columns = conll_columns(line);
  if (has_tab(line) != tabs_ || columns.size() != width_) return true;
  return !tabs_ && width_ > 2 && columns[0] == "#" && (columns[2] == "=" || columns[1] == "id");
}

ConllLine ConllLines::kind(const std::string& line, std::int64_t word, bool in_sentence) const {
  if (is_end(line)) return ConllLine::kEnd;
  if (!in_sentence && is_comment(line)) return ConllLine::kComment;
  const auto columns = conll_columns(line);
  const std::int64_t at = word < 0 ? word + std::ssize(columns) : word;
  if (at > 0 && at < std::ssize(columns)) {
    if (columns[static_cast<std::size_t>(at)] == kDocument) return ConllLine::kEnd;
    if (numbered_ && (is_pair(columns[0], '-') || is_pair(columns[0], '.'))) return ConllLine::kNoWord;
  }
  return ConllLine::kWord;
}

}  // namespace nystrom
