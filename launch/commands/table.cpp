#include <memory>
#include <optional>

#include "kernels/core/check.h"
#include "kernels/core/files.h"
#include "kernels/core/stage.h"
#include "launch/cli/command.h"
#include "launch/cli/option_parser.h"
#include "launch/table/result_table.h"

namespace nystrom {
namespace {

struct Options {
  std::vector<std::string> runs;
  std::string format = "markdown", output;
};

int run(const Options& options, const Invocation& invocation) {
  if (!invocation.overrides.empty())
    refuse("`nystrom table` has no configuration, so it does not take `--set`.");
  if (options.format != "markdown" && options.format != "csv" && options.format != "html")
    refuse("table: `--format` is {}; it must be markdown, csv or html.", options.format);
  std::vector<RunResult> runs;
  std::optional<Stage> stage;  // a folder of runs shows its own
  if (options.runs.size() > 1) stage.emplace("reading runs", static_cast<double>(options.runs.size()));
  for (const auto& path : options.runs) {
    for (auto& result : read_runs(path)) runs.push_back(std::move(result));
    if (stage) stage->advance();
  }
  stage.reset();
  const std::vector<TableEntry> entries = table_entries(runs);
  const std::string text = options.format == "csv"    ? table_csv(entries)
                           : options.format == "html" ? table_html(table_sections(entries))
                                                      : table_markdown(table_sections(entries));
  if (options.output.empty())
    fmt::print("{}", text);
  else
    write_file(options.output, text);
  return kDone;
}

}  // namespace

Command table_command() {
  auto options = std::make_shared<Options>();
  return {
      .name = "table",
      .summary = "Compare finished fine-tuning runs: tasks by attention kinds.",
      .details =
          "Runs that differ only in the seed share a row: the median score, its range, the standard error of the test "
          "split, parameters, tokens per second, memory and minutes. Next to them are chance and the most frequent class, "
          "and for the Long Range Arena published results (docs/lra.md). A score at chance is marked.",
      .example =
          "nystrom table runs/lra-*\n"
          "nystrom table runs/lra-listops --format html --output table.html",
      .options =
          [options](OptionParser& app) {
            app.add_option("RUN", options->runs, "Run directories, or directories of grids.")->required();
            app.add_option("--format", options->format, "markdown, csv or html.")
                ->type_name("markdown|csv|html")
                ->capture_default_str();
            app.add_option("--output", options->output, "File to write. Default: standard output.");
          },
      .run = [options](const Invocation& invocation) { return run(*options, invocation); }};
}

}  // namespace nystrom
