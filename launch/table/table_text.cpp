// Sections as Markdown and as a page.

#include <fmt/ranges.h>

#include "kernels/core/html.h"
#include "launch/table/result_table.h"

namespace nystrom {
namespace {

std::string markdown_row(const std::vector<std::string>& cells) {
  std::string row = "|";
  for (const auto& cell : cells) {
    row += ' ';
    for (const char c : cell) row += c == '|' ? std::string("\\|") : std::string(1, c == '\n' ? ' ' : c);
    row += cell.empty() ? "|" : " |";
  }
  return row + "\n";
}

std::string html_cells(const std::vector<std::string>& cells, bool heading) {
  std::string row = "<tr>";
  for (const auto& cell : cells) {
    const bool failed = cell.ends_with("not learned");
    row += heading ? html_heading(cell) : html_cell(cell, failed ? "failed" : "");
  }
  return row + "</tr>\n";
}

}  // namespace

std::string table_markdown(const std::vector<TableSection>& sections) {
  std::string text;
  for (const TableSection& section : sections) {
    text +=
        fmt::format("{}## {}\n\n{}|", text.empty() ? "" : "\n", section.title, markdown_row(section.columns));
    for (std::size_t i = 0; i < section.columns.size(); ++i) text += "---|";
    text += '\n';
    for (const auto& row : section.rows) text += markdown_row(row);
    for (const auto& remark : section.remarks) text += "\n" + remark + "\n";
  }
  return text;
}

std::string table_html(const std::vector<TableSection>& sections) {
  std::string html =
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Runs</title>\n<style>"
      "body{font:16px sans-serif;max-width:70em;margin:2em auto}table{border-collapse:collapse}"
      "td,th{border:1px solid #bbb;padding:.2em .6em;text-align:right}td:first-child{text-align:left}"
      ".failed{background:#fdd}</style></head><body>\n";
  for (const TableSection& section : sections) {
    html += fmt::format("<h2>{}</h2>\n<table>\n{}", html_escaped(section.title),
                        html_cells(section.columns, true));
    for (const auto& row : section.rows) html += html_cells(row, false);
    html += "</table>\n";
    for (const auto& remark : section.remarks) html += fmt::format("<p>{}</p>\n", html_escaped(remark));
  }
  return html + "</body></html>\n";
}

}  // namespace nystrom
