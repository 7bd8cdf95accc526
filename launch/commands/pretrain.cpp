#include <memory>

#include "launch/bench/machine.h"
#include "launch/cli/config_option.h"
#include "launch/cli/failure.h"
#include "launch/cli/log.h"
#include "launch/cli/option_parser.h"
#include "launch/cli/run_progress.h"
#include "launch/cli/shell_text.h"
#include "launch/config/command_keys.h"
#include "launch/config/path_text.h"
#include "launch/report/report_file.h"
#include "launch/setup/provenance.h"
#include "launch/setup/run_overview.h"
#include "launch/setup/run_setup.h"
#include "launch/setup/run_shards.h"
#include "launch/setup/sinks.h"

namespace nystrom {
namespace {

struct Options {
  std::string config;
  std::string resume;
  bool takeover = false, accept_new_data = false;
};

/// Has a step been trained?
class Trained final : public Observer {
 public:
  void step(const StepReport&) override { any_ = true; }
  [[nodiscard]] bool any() const { return any_; }

 private:
  bool any_ = false;
};

/// What `nystrom evaluate` is given for this run: its own configuration where the given one was overridden.
std::string evaluated_as(const Options& options, const Invocation& invocation, const Config& config) {
  const std::string& directory = config.run.directory;
  const bool overridden = !invocation.overrides.empty();
  std::vector<std::string> overrides;
  if (!config.model.from.empty()) overrides.push_back("model.from=" + directory);
  return shell_text(overridden ? directory + "/config.yaml" : options.config, overrides);
}

int run(const Options& options, const Invocation& invocation) {
  Config config = read_config(options.config, invocation.overrides);
  if (!options.resume.empty()) config.run.resume = expanded_option("--resume", options.resume);
  use_prepared_shards(config);
  require_keys(config, pretraining_name(config));
  check_resumed_checkpoint(config);
  check_pretraining_task(config);
  const RunSetup setup = set_up_run(config, true);
  return with_comm({.timeout_seconds = config.communication.timeout}, [&](Comm& comm) -> int {
    const Log log(comm.rank(), config.run.directory);
    log.warnings(setup.warnings);
    warn_of_unused_keys(log, config, pretraining_name(config));
    for (const auto& note : setup.notes) log.note(note);
    Trained trained;
    Observers observers;
    observers.add(trained);
    observers.add(make_progress(log));
    observers.add(record_provenance(config.run.directory, log));
    if (config.run.report && comm.rank() == 0)
      observers.add(std::make_unique<ReportFile>(config.run.directory,
                                                 [&log](const std::string& why) { log.warning(why); }));
    add_sinks(observers, setup.config, pretraining_values(setup.config), log, comm.rank());
    PretrainOptions run =
        pretrain_options(setup, [&log](const std::string& sentence) { log.note(sentence); });
    run.trainer.identity.provenance = provenance_text(comm.ranks());
    run.report = [&log](const std::string& report) { log.report("State of the ranks:\n" + report); };
    run.trainer.profile.measure_machine = rates_at(setup.precision);
    run.takeover = options.takeover;
    run.accept_new_data = options.accept_new_data;
    const StopReason why = pretrain(run, comm, observers);
    if (trained.any() && why == StopReason::kDone)
      log.report(pretraining_summary(config.run.directory, evaluated_as(options, invocation, config)));
    if (why == StopReason::kDone) return kDone;
    log.note("Stopped on request. Run the same command to resume.");
    return kStopped;
  });
}

}  // namespace

Command pretrain_command() {
  auto options = std::make_shared<Options>();
  return {
      .name = "pretrain",
      .summary = "Pretrain on shards with MLM and SOP; under mpirun, one process per rank.",
      .details =
          "Writes metrics.jsonl, log.txt, config.yaml, run.json (versions, command line, host), report.html (curves), "
          "TensorBoard events and checkpoints to `run.directory`. "
          "SIGTERM, or a file `stop` in that directory, saves a checkpoint and stops (exit status 3). "
          "SIGUSR1 saves a checkpoint and continues. SIGUSR2 logs what each rank is doing.",
      .example =
          "nystrom pretrain configs/pretrain-small.yaml\n"
          "mpirun -n 2 nystrom pretrain my.yaml --set training.steps=1000 --resume auto",
      .options =
          [options](OptionParser& app) {
            add_config_argument(app, options->config, true);
            add_resume_option(app, options->resume);
            add_takeover_option(app, options->takeover);
            app.add_flag(
                "--accept-new-data", options->accept_new_data,
                "Resume on shards with other content than those that the run was trained on, and record "
                "this in the run.");
          },
      .run = [options](const Invocation& invocation) { return run(*options, invocation); }};
}

}  // namespace nystrom
