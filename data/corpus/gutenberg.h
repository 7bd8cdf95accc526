#pragma once
// Project Gutenberg's header, licence and notes around a book.

#include <string_view>

namespace nystrom {

/// The book between the licence's header and footer; the whole text where it has neither.
std::string_view without_licence(std::string_view text);

/// Is this paragraph, the `index`-th of the book, a note on the file rather than a part of the book?
bool is_credit(std::string_view paragraph, int index);

/// "[Illustration: ...]"
bool is_illustration(std::string_view paragraph);

}  // namespace nystrom
