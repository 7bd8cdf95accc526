// Configuration: what differs from the defaults, and between runs.

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "kernels/core/html.h"
#include "launch/report/sections.h"

namespace nystrom {
namespace {

struct Row {
  std::string key, standard;
  std::vector<std::string> values;  ///< by run; empty where a configuration cannot be read
  bool differs = false;             ///< between runs
};

/// Says where a run is, not what it is.
bool is_place(std::string_view key) {
  return key == "run.directory";
}

std::vector<Row> rows_of(std::span<const ReportedRun> runs) {
  const auto readable =
      std::ranges::find_if(runs, [](const auto& run) { return !run.record.settings.empty(); });
  std::vector<Row> rows;
  if (readable == runs.end()) return rows;
  for (const Setting& setting : readable->record.settings) {
    Row row{setting.key, setting.standard, {}};
    std::set<std::string> distinct;
    bool standard = true;
    for (const ReportedRun& run : runs) {
      const Setting* own = run.record.setting(setting.key);
      row.values.push_back(own == nullptr ? std::string() : own->value);
      if (own == nullptr) continue;
      distinct.insert(own->value);
      standard = standard && own->value == setting.standard;
    }
    row.differs = distinct.size() > 1 && !is_place(setting.key);
    if (!standard && (runs.size() == 1 || !is_place(setting.key))) rows.push_back(std::move(row));
  }
  // (Not of std::ranges, which clang 14 cannot compile.)
  std::stable_partition(rows.begin(), rows.end(), [](const Row& row) { return row.differs; });
  return rows;
}

std::string table_of(std::span<const ReportedRun> runs, const std::vector<Row>& rows) {
  std::string html = "<div class=\"wide\"><table>\n<thead><tr>" + html_heading("key");
  for (const ReportedRun& run : runs)
    html += html_heading(runs.size() == 1 ? std::string("this run") : run.label);
  html += html_heading("default") + "</tr></thead><tbody>\n";
  for (const Row& row : rows) {
    html += fmt::format("<tr{}><td class=\"key\"><code>{}</code></td>",
                        row.differs ? " class=\"differs\"" : "", html_escaped(row.key));
    for (const std::string& value : row.values) html += html_cell(value);
    html += html_cell(row.standard, "muted") + "</tr>\n";
  }
  return html + "</tbody></table></div>\n";
}

}  // namespace

std::string configuration_section(std::span<const ReportedRun> runs) {
  const std::vector<Row> rows = rows_of(runs);
  const bool one = runs.size() == 1;
  std::string html;
  if (!rows.empty()) html += table_of(runs, rows);
  if (one && !runs.front().record.yaml.empty())
    html += fmt::format("<details id=\"yaml\"><summary>config.yaml</summary><pre>{}</pre></details>\n",
                        html_escaped(runs.front().record.yaml));
  if (html.empty()) return {};
  if (rows.empty()) return "<section>\n<h2>Configuration</h2>\n" + html + "</section>\n";
  const char* what =
      one ? "Values that differ from the defaults."
          : "Values that differ from the defaults; first, marked, those that differ between the runs.";
  return fmt::format("<section>\n<h2>Configuration</h2>\n<p>{}</p>\n{}</section>\n", what, html);
}

}  // namespace nystrom
