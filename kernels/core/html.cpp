#include "kernels/core/html.h"

#include <fmt/format.h>

#include "kernels/core/printable.h"

namespace nystrom {

std::string html_escaped(std::string_view text) {
  constexpr std::size_t kMaxBytes = std::size_t{1} << 20U;
  std::string html;
  for (const char c : printable_lines(text, kMaxBytes)) {
    switch (c) {
      case '&':
        html += "&amp;";
        break;
      case '<':
        html += "&lt;";
        break;
      case '>':
        html += "&gt;";
        break;
      case '"':
        html += "&quot;";
        break;
      default:
        html += c;
    }
  }
  return html;
}

std::string html_cell(std::string_view text, std::string_view style) {
  return style.empty() ? fmt::format("<td>{}</td>", html_escaped(text))
                       : fmt::format("<td class=\"{}\">{}</td>", style, html_escaped(text));
}

std::string html_heading(std::string_view text) {
  return fmt::format("<th>{}</th>", html_escaped(text));
}

std::string html_row(std::initializer_list<std::string_view> cells) {
  return fmt::format("<tr>{}</tr>\n", fmt::join(cells, ""));
}

}  // namespace nystrom
