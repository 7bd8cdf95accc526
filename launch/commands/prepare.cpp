#include "data/prepare.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <memory>

#include "launch/config_option.h"
#include "launch/log.h"
#include "launch/options.h"
#include "launch/rank.h"
#include "launch/terminal.h"

namespace nystrom {
namespace {

// One line over itself for somebody who watches, a line now and then for a file.
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
        p.bytes_total > 0 ? static_cast<double>(p.bytes_done) / static_cast<double>(p.bytes_total) : 0;
    if (p.bytes_total == 0) return fmt::format("{} ({} documents)", p.stage, p.documents);
    return fmt::format("{}: {:.0f} % of {:.1f} MiB, {} documents", p.stage, 100 * std::min(1.0, share),
                       static_cast<double>(p.bytes_total) / (1 << 20), p.documents);
  }

  const Log& log_;
  Terminal terminal_;
  std::string stage_;
  std::chrono::steady_clock::time_point last_{};
  bool drawn_ = false;
};

PrepareOptions prepare_options(const Config& config) {
  PrepareOptions options;
  for (const CorpusSource& source : config.corpus)
    options.corpora.push_back({source.kind, source.path, source.field, source.encoding});
  options.tokenizer.path = config.tokenizer.path;
  options.tokenizer.training = tokenizer_options(config);
  if (!config.tokenizer.path.empty()) options.tokenizer.training.names = given_special_names(config);
  options.directory = config.output.directory;
  options.shard_tokens = config.output.shard_tokens;
  options.validation_fraction = config.output.validation_fraction;
  options.test_fraction = config.output.test_fraction;
  options.seed = static_cast<std::uint64_t>(config.seed);
  options.normalization = config.output.normalization;
  options.threads = static_cast<int>(config.run.threads.value_or(0));
  return options;
}

void report(const PrepareReport& made, const Log& log) {
  log.warnings(made.warnings);
  if (made.already_done) log.note("this very preparation was done before; nothing was changed");
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

int run(const std::string& path, const Invocation& invocation) {
  const Config config = read_config(path, invocation.overrides);
  require(config, {"corpus", "output.directory"}, "prepare");
  if (launched_rank() > 0) return kDone;  // under mpirun one process is enough
  const Log log(0);
  PrepareReport made;
  {
    Progress progress(log);
    made = prepare(prepare_options(config), [&](const PrepareProgress& now) { progress.show(now); });
  }
  report(made, log);
  return kDone;
}

}  // namespace

Command prepare_command() {
  auto config = std::make_shared<std::string>();
  return {.name = "prepare",
          .summary = "raw text to a tokenizer, shards and a manifest",
          .details = "Reads the sections corpus, tokenizer and output (docs/data.md).",
          .example =
              "nystrom prepare my.yaml\n"
              "nystrom prepare my.yaml --set 'corpus=[{kind: lines, path: text/*.txt}]' --set "
              "output.directory=prepared",
          .options = [config](CLI::App& app) { add_config_argument(app, *config, true); },
          .run = [config](const Invocation& invocation) { return run(*config, invocation); }};
}

}  // namespace nystrom
