// Corpora: which share of the sequences each has, and how many epochs of it were read.

#include <fmt/format.h>

#include "kernels/core/html.h"
#include "launch/report/progress.h"
#include "launch/report/sections.h"

namespace nystrom {
namespace {

/// "1.32"; "?" where it is not known.
std::string epochs_text(const CorpusRecord& corpus, double sequences) {
  if (corpus.sequences == 0) return "?";
  return fmt::format("{:.3g}", sequences * corpus.share / static_cast<double>(corpus.sequences));
}

std::string corpus_row(const CorpusRecord& corpus, double sequences) {
  const std::string bar = fmt::format(
      "<td class=\"share\"><progress max=\"1\" value=\"{0:.4f}\">{0:.1f}</progress></td>", corpus.share);
  return html_row(
      {html_cell(corpus.name), bar, html_cell(fmt::format("{:.1f} %", 100 * corpus.share), "number"),
       html_cell(grouped(corpus.sequences), "number"), html_cell(epochs_text(corpus, sequences), "number")});
}

}  // namespace

std::string corpora_section(const ReportedRun& run) {
  if (run.record.starts.empty() || run.record.starts.back().corpora.empty()) return {};
  const Series& samples = run.history.of("samples");
  const double sequences = samples.empty() ? 0 : samples.last();
  std::string html =
      "<section>\n<h2>Data</h2>\n<div class=\"wide\"><table>\n<thead>" +
      html_row({html_heading("corpus"), html_heading("share of the sequences"), html_heading(""),
                html_heading("sequences in an epoch"), html_heading("epochs so far")}) +
      "</thead><tbody>\n";
  for (const CorpusRecord& corpus : run.record.starts.back().corpora) html += corpus_row(corpus, sequences);
  return html + "</tbody></table></div>\n</section>\n";
}

}  // namespace nystrom
