#include "data/preparation/prepare.h"

#include <algorithm>
#include <chrono>
#include <memory>

#include "launch/cli/config_option.h"
#include "launch/cli/failure.h"
#include "launch/cli/log.h"
#include "launch/cli/option_parser.h"
#include "launch/cli/rank.h"
#include "launch/cli/terminal.h"
#include "launch/config/options.h"
#include "launch/config/unused_keys.h"
#include "launch/models/tokenizer_search.h"
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
    if (!new_stage && since < (terminal_.present ? 0.2 : 10.0)) return;
    stage_ = progress.stage;
    last_ = now;
    if (!terminal_.present) return log_.note(text(progress));
    const std::string line = text(progress).substr(0, static_cast<std::size_t>(terminal_.columns - 1));
    fmt::print(stderr, "\r{:<{}}", line, terminal_.columns - 1);
    drawn_ = true;
  }

  void clear() {
    if (drawn_) fmt::print(stderr, "\r{:<{}}\r", "", terminal_.columns - 1);
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

void report(const PrepareReport& made, const Log& log) {
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
  fmt::print("tokenizer   {:>10} tokens, SHA-256 {}\nmanifest    {}\n", made.vocabulary_size,
             made.tokenizer_sha256, made.manifest);
}

struct Arguments {
  std::string config;
  bool keep_dropped = false, skip_damaged = false;
};

int work(const Config& config, const Arguments& arguments, Comm& comm) {
  auto options = prepare_options(config);
  if (!config.tokenizer.path.empty())
    options.tokenizer.existing = read_any_tokenizer(config.tokenizer.path, options.tokenizer.training.names);
  options.cleaning.keep_dropped |= arguments.keep_dropped;
  options.cleaning.skip_damaged |= arguments.skip_damaged;
  if (!config.run.threads && comm.local_ranks() > 1) options.threads = threads_of_rank(comm);
  options.group = {comm.rank(), comm.ranks(), [&comm] { comm.barrier("a stage of the preparation"); }};
  const Log log(comm.rank());
  if (const auto unused = unused_keys_sentence(config, "prepare"); !unused.empty()) log.warning(unused);
  PrepareReport made;
  {
    Progress progress(log);
    made = prepare(options, comm.rank() == 0 ? PrepareCallback([&](const auto& now) { progress.show(now); })
                                             : PrepareCallback());
  }
  if (comm.rank() == 0) report(made, log);
  return kDone;
}

int run(const Arguments& arguments, const Invocation& invocation) {
  const Config config = read_config(arguments.config, invocation.overrides);
  require(config, {"corpus", "output.directory"}, "prepare");
  // A stage may take hours, and its ranks need not finish together.
  constexpr double kWeek = 7 * 86400;
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
              },
          .run = [arguments](const Invocation& invocation) { return run(*arguments, invocation); }};
}

}  // namespace nystrom
