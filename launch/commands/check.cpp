#include "launch/check/check.h"

#include <memory>

#include "launch/cli/config_option.h"
#include "launch/cli/failure.h"
#include "launch/config/path_text.h"
#include "launch/setup/finetune_setup.h"
#include "launch/setup/run_setup.h"
#include "launch/setup/run_shards.h"

namespace nystrom {
namespace {

struct Options {
  std::string config, command, resume;
  std::int64_t steps = 3;
  bool json = false;
};

void print(CheckReport report, bool json) {
  if (!json) {
    fmt::print("{}", check_text(report));
    return;
  }
  report.json["notes"] = report.notes;
  report.json["warnings"] = report.warnings;
  fmt::print("{}\n", report.json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

int run(const Options& options, const Invocation& invocation) {
  if (options.steps < 0) refuse("`--steps` is {}; it must be at least 0.", options.steps);
  Config config = read_config(options.config, invocation.overrides);
  if (!options.resume.empty()) config.run.resume = expanded_option("--resume", options.resume);
  use_prepared_shards(config);
  const StartKind kind =
      options.command.empty() ? start_of(config) : parse<StartKind>("--command", options.command);
  if (kind != StartKind::kPrepare) check_resumed_checkpoint(config);
  if (kind == StartKind::kFinetune) check_finetuning_files(config);
  if (kind == StartKind::kPretrain) check_pretraining_task(config);
  return with_comm({.timeout_seconds = config.communication.timeout}, [&](Comm& comm) -> int {
    const CheckReport report = check_start(kind, config, options.steps, comm);
    if (comm.rank() == 0) print(report, options.json);
    return kDone;
  });
}

}  // namespace

Command check_command() {
  auto options = std::make_shared<Options>();
  return {
      .name = "check",
      .summary = "Dry run of prepare, pretrain or finetune: check everything, write nothing.",
      .details =
          "Does what a start does up to its first step: reads the configuration, the model, the shards or the "
          "task, looks for a checkpoint to resume from, and allocates the memory. Then it trains a few steps of one "
          "micro-batch to estimate the time, and discards them. Prints the memory by part, shards, epochs, "
          "disk and time. If the start would be refused, the message and the exit status are the same. The "
          "command follows from the configuration: finetune with `task.kind`, prepare as long as there "
          "are no shards of its `corpus`, else pretrain.",
      .example =
          "nystrom check my.yaml\n"
          "mpirun -n 2 nystrom check my.yaml --set training.global_batch=512 --steps 10\n"
          "nystrom check my.yaml --command prepare --json",
      .options =
          [options](OptionParser& app) {
            add_config_argument(app, options->config, true);
            app.add_option("--command", options->command,
                           "The command to check; by default that of the configuration.")
                ->type_name("prepare|pretrain|finetune");
            app.add_option("--steps", options->steps, "Training steps to time; 0: none.")
                ->capture_default_str()
                ->type_name("N");
            app.add_flag("--json", options->json, "Print one line of JSON instead.");
            add_resume_option(app, options->resume);
          },
      .run = [options](const Invocation& invocation) { return run(*options, invocation); }};
}

}  // namespace nystrom
