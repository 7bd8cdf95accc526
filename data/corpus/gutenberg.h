#pragma once
// What Project Gutenberg puts around a book.

#include <string_view>

namespace nystrom {

/// The book between the licence's header and footer; the whole text where it has neither.
std::string_view without_licence(std::string_view text);

/// Is this paragraph, the `index`-th of the book, a note on the file rather than a part of the book?
bool is_credit(std::string_view paragraph, int index);

/// "[Illustration: ...]"
bool is_illustration(std::string_view paragraph);

/// "12", "- 12 -", "[Page 12]", "Pg 12"
bool is_page_number(std::string_view paragraph);

/// Tells a table of contents from the text around it. Paragraphs are shown to it in order.
class ContentsTable {
 public:
  /// Is this paragraph part of one? It begins with a heading such as "CONTENTS" and ends before the first
  /// paragraph that is no entry.
  bool holds(std::string_view paragraph);

 private:
  bool inside_ = false;
};

}  // namespace nystrom
