#pragma once
// Detection of the parts of a book that are not text: title pages, tables of contents, headings, page
// numbers.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace nystrom {

/// Number of paragraphs before the text begins: title page, publisher, dedication. The text begins with
/// the first paragraphs that read as prose for a few sentences; where none do in the book's first part, or
/// the book is short, nothing is front matter.
std::size_t front_matter(const std::vector<std::string>& paragraphs);

/// "CHAPTER IV", "Chapter 1. Loomings.", "BOOK THE SECOND", "XII", "THE END", a line in capitals.
bool is_heading(std::string_view paragraph);

/// "12", "- 12 -", "[Page 12]", "Pg 12"
bool is_page_number(std::string_view paragraph);

/// Distinguishes a table of contents from the text around it. Paragraphs are passed to it in order.
class ContentsTable {
 public:
  /// Is this paragraph part of one? It begins with a heading such as "CONTENTS" and ends before the first
  /// paragraph that is not an entry.
  bool holds(std::string_view paragraph);

 private:
  bool inside_ = false;
};

}  // namespace nystrom
