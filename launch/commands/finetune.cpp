#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "kernels/core/files.h"
#include "launch/bench/machine.h"
#include "launch/cli/config_option.h"
#include "launch/cli/failure.h"
#include "launch/cli/log.h"
#include "launch/cli/option_parser.h"
#include "launch/cli/run_progress.h"
#include "launch/config/command_keys.h"
#include "launch/config/path_text.h"
#include "launch/report/report_file.h"
#include "launch/setup/finetune_setup.h"
#include "launch/setup/grid.h"
#include "launch/setup/provenance.h"
#include "launch/setup/run_overview.h"
#include "launch/setup/run_setup.h"
#include "launch/setup/sinks.h"
#include "model/exchange/safetensors.h"

namespace nystrom {
namespace {

namespace fs = std::filesystem;

struct Options {
  std::string config, resume;
  bool takeover = false;
};

StopReason run_one(const Config& config, const Options& given, Comm& comm) {
  const Log log(comm.rank(), config.run.directory);
  const auto setup = set_up_finetuning(config, true);
  for (const auto& note : setup->notes) log.note(note);
  Observers observers;
  observers.add(make_progress(log));
  observers.add(record_provenance(config.run.directory, log));
  ReportFile page(config.run.directory, [&log](const std::string& why) { log.warning(why); });
  const bool reports = config.run.report && comm.rank() == 0;
  if (reports) observers.add(page);
  add_sinks(observers, setup->config, finetuning_values(setup->config), log, comm.rank());
  FinetuneOptions options = setup->options;
  options.run.takeover = given.takeover;
  options.run.trainer.profile.measure_machine = rates_at(options.run.precision);
  options.run.trainer.identity.provenance = provenance_text(comm.ranks());
  options.run.report = [&log](const std::string& report) { log.report("Activity of the ranks:\n" + report); };
  const StopReason why = finetune(options, comm, observers);
  if (reports) page.finished(why);  // with the results, which come last
  if (why == StopReason::kDone && comm.rank() == 0) log.report(finetuning_summary(config.run.directory));
  return why;
}

/// Was this point run to its end before, with these values?
bool is_finished(const Config& config) {
  const fs::path folder = config.run.directory;
  if (!fs::exists(folder / "results.json") || !fs::exists(folder / "config.yaml")) return false;
  if (!nlohmann::json::accept(read_file((folder / "results.json").string()))) return false;
  const std::string path = (folder / "config.yaml").string();
  const auto then = finetuning_values(read_config_text(read_file(path), path));
  const auto now = finetuning_values(set_up_finetuning(config, true)->config);
  for (const auto& [key, value] : now) {
    const auto old = then.find(key);
    const bool equal = old != then.end() && old->second == value;
    // finetune refuses what it may not change with a sentence, and continues to more steps.
    if (!equal && (key == "training.steps" || !may_change_on_resume(key))) return false;
  }
  return true;
}

void write_table(const Config& config, const std::vector<GridPoint>& points, const Log& log) {
  std::vector<GridResult> results;
  for (const auto& point : points)
    results.push_back(
        grid_result(point, read_file(config.run.directory + "/" + point.name + "/results.json")));
  const GridTable table = grid_table(results);
  write_file(config.run.directory + "/grid.tsv", table.text);
  write_file(config.run.directory + "/grid.json", table.json);
  keep_best_run(config.run.directory, table.best_run);
  fmt::print("{}", table.text);
  if (config.run.report)
    ReportFile(config.run.directory, [&log](const std::string& why) { log.warning(why); }).write();
  log.note(fmt::format("{}. The table is in {}/grid.tsv.", table.best, config.run.directory));
  if (!table.best_run.empty())
    log.note(fmt::format("The best run, {}, is kept as {}/best, for `evaluate`, `predict` and `convert`.",
                         table.best_run, config.run.directory));
}

StopReason run_grid(const Config& config, const Options& options, Comm& comm, const Log& log) {
  const std::vector<GridPoint> points = grid_points(config.grid);
  for (const auto& point : points)  // what is wrong with any is refused before the first runs
    (void)set_up_finetuning(config_of(config, point), true);
  for (std::size_t i = 0; i < points.size(); ++i) {
    const Config one = config_of(config, points[i]);
    const std::string finished = comm.rank() == 0 && is_finished(one) ? "yes" : "";
    if (!comm.broadcast_text(finished, 0, "the state of a grid's point").empty()) {
      log.note(
          fmt::format("Grid point {} of {}, {}: already finished.", i + 1, points.size(), points[i].name));
      continue;
    }
    log.note(fmt::format("Grid point {} of {}: {}.", i + 1, points.size(), points[i].name));
    if (run_one(one, options, comm) == StopReason::kStopped) return StopReason::kStopped;
  }
  if (comm.rank() == 0) write_table(config, points, log);
  return StopReason::kDone;
}

int run(const Options& options, const Invocation& invocation) {
  Config config = read_config(options.config, invocation.overrides);
  if (!options.resume.empty()) config.run.resume = expanded_option("--resume", options.resume);
  require_keys(config, "finetune");
  check_resumed_checkpoint(config);
  check_finetuning_files(config);
  return with_comm({.timeout_seconds = config.communication.timeout}, [&](Comm& comm) -> int {
    const Log log(comm.rank(), config.grid.empty() ? std::string() : config.run.directory);
    warn_of_unused_keys(log, config, "finetune");
    const StopReason why =
        config.grid.empty() ? run_one(config, options, comm) : run_grid(config, options, comm, log);
    if (why == StopReason::kDone) return kDone;
    log.note("Stopped on request; the same command resumes from here.");
    return kStopped;
  });
}

}  // namespace

Command finetune_command() {
  auto options = std::make_shared<Options>();
  return {
      .name = "finetune",
      .summary =
          "Fine-tune a pretrained model on a labelled task; under mpirun on several ranks, as pretrain.",
      .details =
          "Writes metrics.jsonl, log.txt, run.json, checkpoints (the best by the task's metric as "
          "checkpoints/best.h5), results.json, predictions.tsv, report.html (curves, classes) and, for GLUE, leaderboard/ to "
          "`run.directory`. With "
          "`grid` every combination of its values is a separate run in a subdirectory, and grid.tsv and report.html compare "
          "them. Tasks and keys: docs/finetuning.md.",
      .example =
          "nystrom finetune configs/finetune-glue.yaml --set model.from=run/checkpoints/step-00001000.h5\n"
          "mpirun -n 2 nystrom finetune imdb.yaml --set seed=2 --set run.directory=runs/imdb-2\n"
          "nystrom finetune imdb.yaml --set 'grid={optimizer.learning_rate: [2e-5, 3e-5], seed: [1, 2, 3]}'",
      .options =
          [options](OptionParser& app) {
            add_config_argument(app, options->config, true);
            add_resume_option(app, options->resume);
            add_takeover_option(app, options->takeover);
          },
      .run = [options](const Invocation& invocation) { return run(*options, invocation); }};
}

}  // namespace nystrom
