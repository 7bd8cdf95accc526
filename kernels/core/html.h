#pragma once
// HTML of reports: escaping, and rows of tables.

#include <initializer_list>
#include <string>
#include <string_view>

namespace nystrom {

/// `text` as the content of an element or of a quoted attribute: & < > " are escaped; what no
/// browser shows is made printable.
[[nodiscard]] std::string html_escaped(std::string_view text);

/// <td>, escaped; with `style`, a class of the page's own style sheet, <td class="style">.
[[nodiscard]] std::string html_cell(std::string_view text, std::string_view style = {});
/// <th>, escaped.
[[nodiscard]] std::string html_heading(std::string_view text);
/// <tr> of cells that are HTML already.
[[nodiscard]] std::string html_row(std::initializer_list<std::string_view> cells);

}  // namespace nystrom
