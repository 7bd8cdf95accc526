#include <algorithm>
#include <filesystem>
#include <iterator>
#include <memory>
#include <optional>

#include "kernels/core/check.h"
#include "kernels/core/files.h"
#include "kernels/core/stage.h"
#include "launch/cli/command.h"
#include "launch/cli/option_parser.h"
#include "launch/report/grid_report.h"
#include "launch/report/preparation.h"
#include "launch/report/report.h"

namespace nystrom {
namespace {

struct Options {
  std::vector<std::string> runs;
  std::string output, curve;
};

/// The runs that a path names: itself, or those below it.
std::vector<std::string> runs_at(const std::string& path) {
  if (!std::filesystem::exists(path)) refuse("{} does not exist.", path);
  if (is_run_directory(path)) return {path};
  std::vector<std::string> runs = runs_below(path, kMaxReportedRuns + 1);
  if (runs.empty())
    refuse("{} is not a run directory: neither it nor a folder in it has metrics.jsonl or results.json.",
           path);
  return runs;
}

std::vector<ReportedRun> read_all(const std::vector<std::string>& paths) {
  std::vector<std::string> directories;
  for (const std::string& path : paths) std::ranges::move(runs_at(path), std::back_inserter(directories));
  if (directories.size() > kMaxReportedRuns)
    refuse("report: there are more than {} runs, which cannot be distinguished on one page; name fewer.",
           kMaxReportedRuns);
  std::optional<Stage> stage;  // a single run shows its own
  if (directories.size() > 1) stage.emplace("reading runs", static_cast<double>(directories.size()));
  std::vector<ReportedRun> runs;
  for (const std::string& directory : directories) {
    runs.push_back(read_reported_run(directory));
    if (stage) stage->advance();
  }
  label_runs(runs);
  return runs;
}

std::string document_of(const Options& options) {
  if (options.curve.empty() && options.runs.size() == 1 && is_grid_directory(options.runs.front()))
    return report_page("Grid", grid_body(options.runs.front()));
  if (options.curve.empty() && options.runs.size() == 1 && is_preparation(options.runs.front()))
    return report_page("Prepared text", preparation_body(options.runs.front(), ShardsOf::kAnybody));
  const std::vector<ReportedRun> runs = read_all(options.runs);
  return options.curve.empty() ? report_page(report_title(runs), report_body(runs))
                               : curve_svg(runs, options.curve);
}

int run(const Options& options, const Invocation& invocation) {
  if (!invocation.overrides.empty())
    refuse("`nystrom report` has no configuration, so it does not take `--set`.");
  if (!options.curve.empty() && options.output.empty())
    refuse("report: `--curve` needs `--output FILE.svg`.");
  const std::string document = document_of(options);
  const std::string beside = options.runs.size() == 1 ? options.runs.front() + "/" : "";
  const std::string output = options.output.empty() ? beside + "report.html" : options.output;
  write_file(output, document);
  fmt::print("{}\n", output);
  return kDone;
}

}  // namespace

Command report_command() {
  auto options = std::make_shared<Options>();
  return {
      .name = "report",
      .summary = "Write a page with the curves of a run, or of several runs compared.",
      .details =
          "One HTML file that needs neither network nor scripts: losses, learning rate, gradient norm, speed, epochs, "
          "residuals, configuration against the defaults, machine and command; for fine-tuning also metrics by step, "
          "per-class scores and confusion matrices; for a grid its table and a heat map; for prepared text the fate of each source, and "
          "a sample. A directory of runs means all runs in it. "
          "Files are only read, so the run may still be training. The run itself writes the same page at each validation "
          "(`run.report`).",
      .example =
          "nystrom report runs/a\n"
          "nystrom report runs/a runs/b --output compared.html\n"
          "nystrom report runs/a runs/b --curve loss --output loss.svg",
      .options =
          [options](OptionParser& app) {
            app.add_option("RUN", options->runs,
                           "Run directories, directories of runs, or one of prepared text.")
                ->required();
            app.add_option("--output", options->output,
                           "File to write. Default: report.html, in the run directory if one is named.");
            app.add_option("--curve", options->curve,
                           "A single curve, as an SVG image: a name in metrics.jsonl, such as loss.");
          },
      .run = [options](const Invocation& invocation) { return run(*options, invocation); }};
}

}  // namespace nystrom
