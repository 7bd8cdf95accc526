#include <CLI/CLI.hpp>
#include <memory>

#include "launch/config_option.h"
#include "launch/failure.h"
#include "launch/finetune_setup.h"
#include "launch/log.h"
#include "launch/run_progress.h"

namespace nystrom {
namespace {

struct Options {
  std::string config, resume;
};

int run(const Options& options, const Invocation& invocation) {
  Config config = read_config(options.config, invocation.overrides);
  if (!options.resume.empty()) config.run.resume = options.resume;
  require(config, {"run.directory", "task.kind"}, "finetune");
  const auto setup = set_up_finetuning(config, true);
  return with_comm({.timeout_seconds = config.communication.timeout}, [&](Comm& comm) -> int {
    const Log log(comm.rank());
    for (const auto& note : setup->notes) log.note(note);
    const std::unique_ptr<Observer> progress = make_progress(log);
    FinetuneOptions finetuning = setup->options;
    finetuning.run.report = [&log](const std::string& report) {
      log.note("what the ranks are doing:\n" + report);
    };
    const StopReason why = finetune(finetuning, comm, *progress);
    log.note(why == StopReason::kDone
                 ? fmt::format("results are in {}/results.json", config.run.directory)
                 : std::string("stopped on request; the same command goes on from here"));
    return why == StopReason::kDone ? kDone : kStopped;
  });
}

}  // namespace

Command finetune_command() {
  auto options = std::make_shared<Options>();
  return {
      .name = "finetune",
      .summary = "train a pretrained model on a labelled task; started by mpirun as pretrain is",
      .details =
          "Writes metrics.jsonl, checkpoints (the best by the task's metric as checkpoints/best.h5), "
          "results.json, predictions.tsv, report.html and, for GLUE, leaderboard/ to run.directory. "
          "Tasks and keys: docs/finetuning.md.",
      .example =
          "nystrom finetune configs/finetune-sst2.yaml --set model.from=run/checkpoints/step-00001000.h5\n"
          "mpirun -n 2 nystrom finetune imdb.yaml --set seed=2 --set run.directory=runs/imdb-2",
      .options =
          [options](CLI::App& app) {
            add_config_argument(app, options->config, true);
            app.add_option(
                   "--resume", options->resume,
                   "auto: go on from the newest checkpoint, if any; never: begin anew; or a checkpoint")
                ->type_name("auto|never|PATH");
          },
      .run = [options](const Invocation& invocation) { return run(*options, invocation); }};
}

}  // namespace nystrom
