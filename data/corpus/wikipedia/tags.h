#pragma once
// The HTML-like tags of wiki markup.

#include <cstdint>
#include <string_view>

namespace nystrom {

enum class TagKind : std::uint8_t {
  kTransparent,  ///< the tag is removed, its content stays
  kLineBreak,    ///< a blank
  kBlock,        ///< a paragraph's end
  kReference,    ///< removed with its content
  kOpaque,       ///< likewise; its content is not wiki markup
  kTable,        ///< likewise
  kFormula,      ///< kept if it is as simple as "x = 2", else removed
  kVerbatim,     ///< its content stays and is not markup
};

struct Tag {
  std::string_view name;  ///< as written
  TagKind kind = TagKind::kTransparent;
  std::size_t length = 0;  ///< bytes up to and with ">"; 0: no tag
  bool closes = false;     ///< "</name>"
  bool empty = false;      ///< "<name/>"
};

/// The tag that `text` (at "<") begins with.
Tag parse_tag(std::string_view text);

/// Position of the next "</name>" at or after `from`, letters of either case; npos if nowhere.
std::size_t find_closing(std::string_view text, std::string_view name, std::size_t from);

/// The separator between `before` and a superscript or subscript, which would else run together: "^" in
/// "10^30" and "(x)^2", "_" in "1010_2", a blank in "3 1/2". Empty for "5th", "H2O" and "x2".
/// `content`: from the beginning of the script on, its end included.
std::string_view script_mark(std::string_view before, bool superscript, std::string_view content);

/// A formula as text: letters, digits and simple operators; empty if it is more than that.
std::string_view simple_formula(std::string_view formula);

}  // namespace nystrom
