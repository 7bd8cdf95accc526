#include <memory>

#include "launch/cli/config_option.h"
#include "launch/cli/failure.h"
#include "launch/cli/log.h"
#include "launch/cli/option_parser.h"
#include "launch/cli/run_progress.h"
#include "launch/config/options.h"
#include "launch/config/unused_keys.h"
#include "launch/setup/provenance.h"
#include "launch/setup/run_setup.h"
#include "launch/setup/run_shards.h"

namespace nystrom {
namespace {

struct Options {
  std::string config;
  std::string resume;
};

PretrainOptions pretrain_options(const RunSetup& setup, const Log& log) {
  PretrainOptions options = run_options(setup.config);
  options.report = [&log](const std::string& report) { log.note("State of the ranks:\n" + report); };
  options.files = setup.shards;
  options.files.insert(options.files.end(), setup.validation.begin(), setup.validation.end());
  options.model = setup.model;
  options.head = setup.head;
  options.precision = setup.precision;
  options.device = [&setup](Comm& comm) {
    return open_device(setup.backend, setup.config.communication.kind, comm);
  };
  options.sequence_length = setup.sequence_length;
  options.training_data = training_source(setup);
  options.validation_data = validation_source(setup);
  options.data_notes = setup.data_notes;
  options.trainer.objective = objective_options(setup.config);
  options.trainer.identity = identity_of(setup);
  if (setup.from)
    options.start_from = [&](Network& network) {
      for (const auto& note : setup.from->load(network)) log.note(note);
    };
  return options;
}

int run(const Options& options, const Invocation& invocation) {
  Config config = read_config(options.config, invocation.overrides);
  if (!options.resume.empty()) config.run.resume = options.resume;
  use_prepared_shards(config);
  require(config, {"run.directory", "data.shards", "training.steps"}, "pretrain");
  const RunSetup setup = set_up_run(config, true);
  return with_comm({.timeout_seconds = config.communication.timeout}, [&](Comm& comm) -> int {
    const Log log(comm.rank(), config.run.directory);
    log.warnings(setup.warnings);
    if (const auto unused = unused_keys_sentence(config, "pretrain"); !unused.empty()) log.warning(unused);
    for (const auto& note : setup.notes) log.note(note);
    Observers observers;
    observers.add(make_progress(log));
    observers.add(record_provenance(config.run.directory, log));
    const StopReason why = pretrain(pretrain_options(setup, log), comm, observers);
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
          "Writes metrics.jsonl, log.txt, config.yaml, run.json (versions, command line, host), TensorBoard "
          "events and checkpoints to `run.directory`. "
          "SIGTERM, or a file `stop` in that directory, saves a checkpoint and stops (exit status 3). "
          "SIGUSR1 saves a checkpoint and continues. SIGUSR2 logs what each rank is doing.",
      .example =
          "nystrom pretrain configs/pretrain-small.yaml\n"
          "mpirun -n 2 nystrom pretrain my.yaml --set training.steps=1000 --resume auto",
      .options =
          [options](OptionParser& app) {
            add_config_argument(app, options->config, true);
            add_resume_option(app, options->resume);
          },
      .run = [options](const Invocation& invocation) { return run(*options, invocation); }};
}

}  // namespace nystrom
