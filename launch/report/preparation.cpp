#include "launch/report/preparation.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "kernels/core/check.h"
#include "kernels/core/files.h"
#include "kernels/core/html.h"
#include "kernels/core/json.h"
#include "launch/chart/bar_chart.h"
#include "launch/chart/figure.h"
#include "launch/report/progress.h"

namespace nystrom {
namespace {

using Manifest = nlohmann::ordered_json;

std::string manifest_path(const std::string& directory) {
  return directory + "/manifest.json";
}

std::string number_cell(std::int64_t value) {
  return html_cell(grouped(value), "number");
}

/// A table in a box that scrolls where it is too wide.
std::string table(const std::string& heading, const std::string& rows) {
  return fmt::format("<div class=\"wide\"><table>\n<thead>{}</thead><tbody>\n{}</tbody></table></div>\n",
                     heading, rows);
}

std::string splits_table(const Manifest& splits) {
  std::string rows;
  for (const auto& [name, split] : splits.items())
    rows += html_row({html_cell(name), number_cell(split.at("documents")), number_cell(split.at("sentences")),
                      number_cell(split.at("tokens")), number_cell(std::ssize(split.at("shards")))});
  return table(html_row({html_heading("split"), html_heading("documents"), html_heading("sentences"),
                         html_heading("tokens"), html_heading("shards")}),
               rows);
}

std::vector<LegendEntry> bar_legend(const BarChart& chart) {
  std::vector<LegendEntry> legend;
  for (const std::string& name : chart.series)
    legend.push_back({.name = name, .color = legend.size(), .filled = true});
  return legend;
}

/// A figure of bars; with `shares`, a second view of the parts of each bar.
std::string bars_figure(const BarChart& chart, const std::string& id, bool shares,
                        const std::string& note = {}) {
  if (!has_bars(chart)) return {};
  Figure figure{.id = id, .caption = chart.title, .legend = bar_legend(chart), .views = {}, .note = note};
  figure.views.push_back({chart.x_name, svg_of(chart)});
  if (shares) {
    BarChart of_each = as_shares(chart);
    of_each.x_name = "share";
    figure.views.insert(figure.views.begin(), {"share", svg_of(of_each)});
  }
  if (figure.legend.size() == 1) figure.legend.clear();
  return html_of(figure);
}

std::string tokens_figure(const Manifest& manifest) {
  BarChart chart{.title = "Tokens by source", .x_name = "tokens", .series = {}, .rows = {}};
  for (const auto& [name, split] : manifest.at("splits").items()) chart.series.push_back(name);
  for (const auto& source : manifest.at("sources")) {
    BarChart::Row row{.label = source.at("name").get<std::string>(), .values = {}};
    for (const auto& [name, split] : manifest.at("splits").items()) {
      const Manifest counts = split.at("by_source").value(row.label, Manifest::object());
      row.values.push_back(counts.value("tokens", 0.0));
    }
    chart.rows.push_back(std::move(row));
  }
  return bars_figure(chart, "tokens-by-source", false);
}

/// What became of what was read: kept, or dropped for which reason.
std::string characters_figure(const Manifest& sources) {
  BarChart chart{
      .title = "Characters by source and reason", .x_name = "characters", .series = {"kept"}, .rows = {}};
  std::set<std::string> reasons;
  for (const auto& source : sources)
    for (const auto& [reason, count] : source.at("characters").at("dropped").items()) reasons.insert(reason);
  chart.series.insert(chart.series.end(), reasons.begin(), reasons.end());
  for (const auto& source : sources) {
    const Manifest& characters = source.at("characters");
    BarChart::Row row{.label = source.at("name").get<std::string>(),
                      .values = {characters.at("kept").get<double>()}};
    for (const std::string& reason : reasons)
      row.values.push_back(characters.at("dropped").value(reason, 0.0));
    chart.rows.push_back(std::move(row));
  }
  return bars_figure(chart, "characters-by-source", true, "Kept, or dropped for the reason that is named.");
}

std::string lengths_figure(const Manifest& splits) {
  BarChart chart{.title = "Tokens per document", .x_name = "documents", .series = {}, .rows = {}};
  std::size_t bins = 0;
  for (const auto& [name, split] : splits.items()) {
    chart.series.push_back(name);
    bins = std::max(bins, split.at("document_tokens").at("by_power_of_two").size());
  }
  for (std::size_t bin = 0; bin < std::min<std::size_t>(bins, 48); ++bin) {
    const std::int64_t first = std::int64_t{1} << bin;
    BarChart::Row row{.label = fmt::format("{} to {}", grouped(first), grouped(2 * first - 1)), .values = {}};
    for (const auto& [name, split] : splits.items()) {
      const Manifest& counts = split.at("document_tokens").at("by_power_of_two");
      row.values.push_back(bin < counts.size() ? counts[bin].get<double>() : 0.0);
    }
    const bool is_empty = std::ranges::all_of(row.values, [](double value) { return value == 0; });
    if (!is_empty || !chart.rows.empty()) chart.rows.push_back(std::move(row));
  }
  return bars_figure(chart, "lengths", false);
}

std::string reason_rows(const std::string& what, const Manifest& reasons) {
  std::string rows;
  for (const auto& [reason, count] : reasons.items())
    rows += html_row({html_cell(what), html_cell(reason), number_cell(count)});
  return rows;
}

std::string source_section(const Manifest& source) {
  const Manifest& files = source.at("files");
  const auto tokens = source.at("tokens").get<std::int64_t>();
  std::string html = fmt::format(
      "<h3>{}</h3>\n<p>{} of kind {}: {} file{}, {}. {} documents of {} tokens{}.</p>\n",
      html_escaped(source.at("name").get<std::string>()), html_escaped(source.at("path").get<std::string>()),
      html_escaped(source.at("kind").get<std::string>()), grouped(files.at("count")),
      files.at("count") == 1 ? "" : "s", bytes_text(files.at("bytes").get<std::uint64_t>()),
      grouped(source.at("documents")), grouped(tokens),
      tokens > 0 ? fmt::format(", {:.2f} bytes a token",
                               source.at("bytes").get<double>() / static_cast<double>(tokens))
                 : "");
  std::string rows =
      html_row({html_cell("characters"), html_cell("kept"), number_cell(source.at("characters").at("kept"))});
  rows += reason_rows("characters dropped", source.at("characters").at("dropped"));
  rows += reason_rows("documents dropped", source.at("documents_dropped"));
  rows += reason_rows("paragraphs dropped", source.at("paragraphs_dropped"));
  html += table(html_row({html_heading("what"), html_heading("reason"), html_heading("count")}), rows);
  for (const auto& sentence : source.value("damage", Manifest::array()))
    html += fmt::format("<p class=\"problem\">{}</p>\n", html_escaped(sentence.get<std::string>()));
  return html;
}

std::string pieces_table(const SampleStatistics& sample) {
  std::string rows;
  for (const auto& [piece, count] : sample.pieces)
    rows += html_row({fmt::format("<td><code>{}</code></td>", html_escaped(piece)), number_cell(count),
                      html_cell(fmt::format("{:.2f} %", 100.0 * static_cast<double>(count) /
                                                            static_cast<double>(sample.tokens)),
                                "number")});
  return "<details>\n<summary>Most frequent pieces</summary>\n" +
         table(html_row({html_heading("piece"), html_heading("count"), html_heading("share")}), rows) +
         "</details>\n";
}

std::string sample_section(const SampleStatistics& sample) {
  if (sample.tokens == 0) return {};
  const auto ratio = [](std::int64_t a, std::int64_t b) {
    return b > 0 ? fmt::format("{:.2f}", static_cast<double>(a) / static_cast<double>(b)) : std::string("?");
  };
  std::string html = fmt::format(
      "<section>\n<h2>A sample</h2>\n<p>The first tokens of {} documents of the training shards, {} tokens.</p>\n"
      "<dl class=\"facts\">\n<dt>Fertility</dt><dd>{} tokens a word</dd>\n<dt>Characters</dt><dd>{} a token</dd>\n"
      "<dt>Unknown</dt><dd>{:.3f} % of the tokens</dd>\n</dl>\n<h3>Passages</h3>\n",
      grouped(sample.documents), grouped(sample.tokens), ratio(sample.tokens, sample.words),
      ratio(sample.characters, sample.tokens),
      100.0 * static_cast<double>(sample.unknown) / static_cast<double>(sample.tokens));
  for (const std::string& passage : sample.passages)
    html += fmt::format("<p class=\"passage\">{}</p>\n", html_escaped(passage));
  return html + pieces_table(sample) + "</section>\n";
}

std::string body_of(const Manifest& manifest, const std::string& directory, ShardsOf whose) {
  const Manifest& tokenizer = manifest.at("tokenizer");
  std::string html = fmt::format(
      "<h1>Prepared text</h1>\n<p class=\"place\">{}</p>\n<p>By {}. Tokenizer: {}, {} pieces.</p>\n",
      html_escaped(directory), html_escaped(manifest.at("tool").get<std::string>()),
      html_escaped(tokenizer.at("kind").get<std::string>()), grouped(tokenizer.at("vocabulary_size")));
  html += splits_table(manifest.at("splits"));
  html += "<div class=\"figures\">\n" + tokens_figure(manifest) + characters_figure(manifest.at("sources")) +
          lengths_figure(manifest.at("splits")) + "</div>\n";
  html += sample_section(sample_text(directory, whose));
  html += "<section>\n<h2>Sources</h2>\n";
  for (const auto& source : manifest.at("sources")) html += source_section(source);
  return html + fmt::format("</section>\n<details>\n<summary>Options</summary>\n<pre>{}</pre></details>\n",
                            html_escaped(manifest.at("options").dump(2, ' ', false,
                                                                     Manifest::error_handler_t::replace)));
}

}  // namespace

bool is_preparation(const std::string& directory) {
  return file_exists(manifest_path(directory));
}

std::string preparation_body(const std::string& directory, ShardsOf whose) {
  const std::string path = manifest_path(directory);
  try {
    return body_of(parse_json<Manifest>(path, read_file(path, kAnySize)), directory, whose);
  } catch (const Manifest::exception& error) {
    refuse("{} is no manifest of `nystrom prepare`, or corrupt ({}). Prepare the text again.", path,
           error.what());
  }
}

}  // namespace nystrom
