#include "data/preparation/prepare.h"

#include <chrono>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "data/tasks/lra/prepared_file.h"
#include "kernels/core/files.h"
#include "launch/cli/config_option.h"
#include "launch/cli/failure.h"
#include "launch/cli/log.h"
#include "launch/cli/option_parser.h"
#include "launch/cli/shell_text.h"
#include "launch/config/command_keys.h"
#include "launch/report/preparation.h"
#include "launch/report/report.h"
#include "launch/setup/prepare_setup.h"
#include "launch/setup/run_overview.h"
#include "trainer/comm/threads.h"

namespace nystrom {
namespace {

struct Arguments {
  std::string config;
  std::vector<std::string> overrides;
  bool keep_dropped = false, skip_damaged = false, json = false;
};

nlohmann::ordered_json as_json(const PrepareReport& made, double seconds) {
  const auto split = [](const SplitCounts& counts) {
    return nlohmann::ordered_json{{"documents", counts.documents},
                                  {"sentences", counts.sentences},
                                  {"tokens", counts.tokens},
                                  {"shards", counts.shards}};
  };
  return {{"train", split(made.train)},
          {"validation", split(made.validation)},
          {"test", split(made.test)},
          {"vocabulary_size", made.vocabulary_size},
          {"tokenizer_sha256", made.tokenizer_sha256},
          {"manifest", made.manifest},
          {"already_done", made.already_done},
          {"seconds", seconds},
          {"warnings", made.warnings}};
}

/// What was made, in how many seconds, and what to do next.
void report(const PrepareReport& made, const Arguments& arguments, double seconds, const Log& log) {
  log.warnings(made.warnings);
  if (made.already_done) log.note("This preparation is already complete; nothing was changed.");
  const auto line = [](const char* name, const SplitCounts& split) {
    if (split.documents > 0)
      fmt::print("{:<12}{:>10} documents {:>11} sentences {:>13} tokens {:>5} shard{}\n", name,
                 split.documents, split.sentences, split.tokens, split.shards, split.shards == 1 ? "" : "s");
  };
  line("train", made.train);
  line("validation", made.validation);
  line("test", made.test);
  const std::string folder = std::filesystem::path(made.manifest).parent_path().string();
  fmt::print("tokenizer   {:>10} tokens, SHA-256 {}\nmanifest    {}\nreport      {}/report.html\n",
             made.vocabulary_size, made.tokenizer_sha256, made.manifest, folder);
  if (!made.already_done) fmt::print("time        {}\n", days_text(seconds));
  fmt::print("next        nystrom inspect {}\n            nystrom pretrain {}\n", folder,
             shell_text(arguments.config, arguments.overrides));
  if (arguments.json)
    fmt::print("{}\n", as_json(made, seconds).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

/// Writes report.html. Without it the preparation is complete: `nystrom report DIRECTORY` writes it too.
void write_page(const PrepareReport& made, const Log& log) {
  const std::string folder = std::filesystem::path(made.manifest).parent_path().string();
  const std::string path = folder + "/report.html";
  if (made.already_done && std::filesystem::exists(path)) return;
  try {
    write_file(path, report_page("Prepared text", preparation_body(folder, ShardsOf::kThisProcess)));
  } catch (const Error& error) {
    log.warning(fmt::format("{} There is no report of the preparation.", error.what()));
  }
}

int work(const Config& config, const Arguments& arguments, Comm& comm) {
  auto options = set_up_preparation(config);
  options.cleaning.keep_dropped |= arguments.keep_dropped;
  options.cleaning.skip_damaged |= arguments.skip_damaged;
  if (!config.run.threads && comm.local_ranks() > 1) options.threads = threads_of_rank(comm);
  options.group = {comm.rank(), comm.ranks(), [&comm] { comm.barrier("a stage of the preparation"); }};
  const Log log(comm.rank());
  warn_of_unused_keys(log, config, "prepare");
  const auto begin = std::chrono::steady_clock::now();
  const PrepareReport made = prepare(options);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  if (comm.rank() == 0) {
    write_page(made, log);
    report(made, arguments, seconds, log);
  }
  return kDone;
}

// A stage may take hours, and its ranks need not finish together.
constexpr double kWeek = 7 * 86400;

/// A task of the Long Range Arena as one HDF5 file; rank 0 alone does it.
int prepare_lra(const Config& config) {
  return with_comm({.timeout_seconds = kWeek}, [&](Comm& comm) -> int {
    const Log log(comm.rank());
    if (comm.rank() != 0) return kDone;
    const TaskPreparation preparation = set_up_task_preparation(config);
    std::filesystem::create_directories(config.output.directory);
    const std::vector<std::string> notes =
        lra::write_prepared(preparation.task, preparation.longest, preparation.path);
    for (const auto& note : notes) log.note(note);
    fmt::print("{}\n", preparation.path);
    return kDone;
  });
}

int run(const Arguments& arguments) {
  const Config config = read_config(arguments.config, arguments.overrides);
  if (prepares_task(config)) return prepare_lra(config);
  require_keys(config, "prepare");
  return with_comm({.timeout_seconds = kWeek}, [&](Comm& comm) { return work(config, arguments, comm); });
}

}  // namespace

Command prepare_command() {
  auto arguments = std::make_shared<Arguments>();
  return {.name = "prepare",
          .summary = "Prepare raw text: tokenizer, shards and manifest.",
          .details =
              "Reads the sections `corpus`, `tokenizer`, `cleaning` and `output` of the configuration "
              "(docs/data.md). The same command resumes an interrupted preparation.",
          .example =
              "nystrom prepare my.yaml\n"
              "nystrom prepare my.yaml --set 'corpus=[{kind: lines, path: text/*.txt}]' --set "
              "output.directory=prepared",
          .options =
              [arguments](OptionParser& app) {
                add_config_argument(app, arguments->config, true);
                app.add_flag("--keep-dropped", arguments->keep_dropped,
                             "Write dropped documents and paragraphs to dropped.jsonl.");
                app.add_flag("--skip-damaged", arguments->skip_damaged,
                             "Skip corrupt parts of the sources, with a warning for each.");
                app.add_flag("--json", arguments->json, "Print one line of JSON at the end.");
              },
          .run =
              [arguments](const Invocation& invocation) {
                arguments->overrides = invocation.overrides;
                return run(*arguments);
              }};
}

}  // namespace nystrom
