#include "data/corpus/gutenberg.h"

#include <algorithm>
#include <array>

#include "data/corpus/paragraphs.h"

namespace nystrom {
namespace {

constexpr int kCreditParagraphs = 8;      // credits come before the title page
constexpr std::size_t kMarkerLine = 200;  // bytes; longer lines are not markers

bool has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

bool begins_book(const std::string& line) {
  if (!line.starts_with('*')) return false;
  return (has(line, "start of th") && has(line, "gutenberg")) || line.starts_with("*end*the small print") ||
         line.starts_with("*end the small print");
}

bool ends_book(const std::string& line) {
  if (line.starts_with("***") && has(line, "end of th") && has(line, "gutenberg")) return true;
  return (line.starts_with("end of the project gutenberg") || line.starts_with("end of project gutenberg") ||
          line.starts_with("end of this project gutenberg"));
}

}  // namespace

std::string_view without_licence(std::string_view text) {
  const char* begin = text.data();
  const char* end = text.data() + text.size();
  bool ended = false, open_marker = false;
  for_each_line(text, [&](std::string_view line) {
    if (ended || line.size() > kMarkerLine) return;
    // A long title continues the marker's line until its closing stars.
    if (open_marker) {
      begin = line.data() + line.size();
      open_marker = !trimmed(line).ends_with('*') && !is_blank(line);
      return;
    }
    const auto first = trimmed(line);
    if (first.empty() || (first.front() != '*' && (first.front() | 0x20) != 'e')) return;
    const std::string folded = lower_ascii(first);
    if (begins_book(folded)) {
      begin = line.data() + line.size();
      open_marker = !folded.ends_with('*');
    } else if (ends_book(folded)) {
      end = line.data();
      ended = true;
    }
  });
  return {begin, static_cast<std::size_t>(end - begin)};
}

bool is_credit(std::string_view paragraph, int index) {
  if (has(paragraph, "Project Gutenberg")) return true;
  if (index >= kCreditParagraphs) return false;
  constexpr std::array<std::string_view, 11> kBeginnings{
      "produced by",      "e-text prepared by", "etext prepared by", "transcribed from",
      "this etext was",   "this ebook was",     "e-text produced",   "transcribed by",
      "transcriber note", "transcribers note",  "transcriber's note"};
  const std::string folded = lower_ascii(paragraph.substr(0, 40));
  return std::any_of(kBeginnings.begin(), kBeginnings.end(),
                     [&](std::string_view b) { return folded.starts_with(b); });
}

bool is_illustration(std::string_view paragraph) {
  return lower_ascii(paragraph.substr(0, 13)) == "[illustration" && paragraph.ends_with(']');
}

}  // namespace nystrom
