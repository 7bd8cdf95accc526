#include "data/preparation/prepare.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "data/tasks/lra/prepared_file.h"
#include "launch/cli/config_option.h"
#include "launch/cli/failure.h"
#include "launch/cli/log.h"
#include "launch/cli/option_parser.h"
#include "launch/cli/quiet.h"
#include "launch/cli/terminal.h"
#include "launch/config/command_keys.h"
#include "launch/setup/prepare_setup.h"
#include "launch/setup/run_overview.h"
#include "trainer/comm/threads.h"

namespace nystrom {
namespace {

// Progress of a preparation: one line that is redrawn on a terminal, else a log line every ten seconds.
class Progress {
 public:
  explicit Progress(const Log& log) : log_(log), terminal_(error_terminal()) {}
  ~Progress() { clear(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void show(const PrepareProgress& progress) {
    const auto now = std::chrono::steady_clock::now();
    const bool new_stage = progress.stage != stage_;
    const double since = std::chrono::duration<double>(now - last_).count();
    if (is_quiet()) return;
    if (!new_stage && since < (terminal_.present ? 0.2 : 10.0)) return;
    stage_ = progress.stage;
    last_ = now;
    if (!terminal_.present) return log_.note(text(progress));
    const std::string line = text(progress).substr(0, static_cast<std::size_t>(terminal_.columns - 1));
    print_error(fmt::format("\r{:<{}}", line, terminal_.columns - 1));
    drawn_ = true;
  }

  void clear() {
    if (drawn_) print_error(fmt::format("\r{:<{}}\r", "", terminal_.columns - 1));
    drawn_ = false;
  }

 private:
  static std::string text(const PrepareProgress& p) {
    const double share =
        p.total > 0 ? std::min(1.0, static_cast<double>(p.done) / static_cast<double>(p.total)) : 0;
    std::string line = fmt::format("{}: {:.0f} %", p.stage, 100 * share);
    if (p.documents > 0) line += fmt::format(", {} documents", p.documents);
    return line;
  }

  const Log& log_;
  Terminal terminal_;
  std::string stage_;
  std::chrono::steady_clock::time_point last_{};
  bool drawn_ = false;
};

struct Arguments {
  std::string config;
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
  fmt::print("next        nystrom inspect {}\n            nystrom pretrain {}\n", folder, arguments.config);
  if (arguments.json)
    fmt::print("{}\n", as_json(made, seconds).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
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
  PrepareReport made;
  {
    Progress progress(log);
    made = prepare(options, comm.rank() == 0 ? PrepareCallback([&](const auto& now) { progress.show(now); })
                                             : PrepareCallback());
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  if (comm.rank() == 0) report(made, arguments, seconds, log);
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
    auto last = std::chrono::steady_clock::now();
    const auto progress = [&](std::int64_t examples) {
      const auto now = std::chrono::steady_clock::now();
      if (now - last < std::chrono::seconds(10)) return;
      last = now;
      log.note(fmt::format("{} examples.", examples));
    };
    const std::vector<std::string> notes =
        lra::write_prepared(preparation.task, preparation.longest, preparation.path, progress);
    for (const auto& note : notes) log.note(note);
    fmt::print("{}\n", preparation.path);
    return kDone;
  });
}

int run(const Arguments& arguments, const Invocation& invocation) {
  const Config config = read_config(arguments.config, invocation.overrides);
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
          .run = [arguments](const Invocation& invocation) { return run(*arguments, invocation); }};
}

}  // namespace nystrom
