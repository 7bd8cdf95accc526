#include <array>
#include <filesystem>
#include <memory>
#include <optional>

#include "data/generators/listops_files.h"
#include "data/generators/pathfinder_files.h"
#include "kernels/core/check.h"
#include "launch/cli/command.h"
#include "launch/cli/failure.h"
#include "launch/cli/option_parser.h"
#include "trainer/comm/threads.h"

namespace nystrom {
namespace {

struct Options {
  std::string action, task, out;
  std::int64_t seed = 1;
  std::optional<std::int64_t> threads;
  std::optional<std::int64_t> train, validation, test, depth, arguments, longer_than,
      shorter_than;                                   // listops
  std::optional<std::int64_t> images, size, contour;  // pathfinder
};

void check_counts(const Options& o) {
  using Count = std::pair<const char*, std::optional<std::int64_t>>;
  for (const auto& [name, value] :
       {Count{"--train", o.train}, Count{"--validation", o.validation}, Count{"--test", o.test},
        Count{"--images", o.images}, Count{"--seed", o.seed}})
    if (value && *value < 0) refuse("`{}` is {}; it must not be negative.", name, *value);
  if (o.threads && *o.threads < 1) refuse("`--threads` is {}; it must be at least 1.", *o.threads);
}

/// Refuses the options of the other task.
void check_options(const Options& o) {
  using Given = std::pair<const char*, bool>;
  const std::array of_listops{Given{"--train", o.train.has_value()},
                              Given{"--validation", o.validation.has_value()},
                              Given{"--test", o.test.has_value()},
                              Given{"--depth", o.depth.has_value()},
                              Given{"--arguments", o.arguments.has_value()},
                              Given{"--longer-than", o.longer_than.has_value()},
                              Given{"--shorter-than", o.shorter_than.has_value()}};
  const std::array of_pathfinder{Given{"--images", o.images.has_value()}, Given{"--size", o.size.has_value()},
                                 Given{"--contour", o.contour.has_value()}};
  const auto refuse_given = [&](const auto& options) {
    for (const auto& [name, given] : options)
      if (given) refuse("`nystrom lra generate {}` does not take `{}`.", o.task, name);
  };
  if (o.action != "generate")
    refuse("`nystrom lra {}` is unknown; there is `nystrom lra generate`.", o.action);
  if (o.task == "listops")
    refuse_given(of_pathfinder);
  else if (o.task == "pathfinder")
    refuse_given(of_listops);
  else
    refuse(
        "`nystrom lra generate` generates listops or pathfinder, not {}; the other tasks' data are not generated.",
        o.task);
  check_counts(o);
}

Workers workers_of(const Options& o, Comm& comm) {
  const int threads = o.threads ? static_cast<int>(*o.threads) : threads_of_rank(comm);
  const auto gather = [&comm](const std::string& mine) {
    return comm.all_gather_text(mine, "generated examples");
  };
  return {.rank = comm.rank(), .ranks = comm.ranks(), .threads = threads, .gather = gather};
}

std::string generate_listops(const Options& o, const Workers& workers) {
  ListOpsRule rule;
  rule.depth = o.depth.value_or(rule.depth);
  rule.arguments = o.arguments.value_or(rule.arguments);
  rule.longer_than = o.longer_than.value_or(rule.longer_than);
  rule.shorter_than = o.shorter_than.value_or(rule.shorter_than);
  ListOpsCounts counts;
  counts.train = o.train.value_or(counts.train);
  counts.validation = o.validation.value_or(counts.validation);
  counts.test = o.test.value_or(counts.test);
  const std::string folder = (std::filesystem::path(o.out) / "listops").string();
  const std::int64_t repeated =
      write_listops(ListOpsGenerator(rule, static_cast<std::uint64_t>(o.seed)), counts, folder, workers);
  return fmt::format("{}: {} training, {} validation and {} test examples of {} to {} tokens, seed {}{}.",
                     folder, counts.train, counts.validation, counts.test, rule.longer_than + 1,
                     rule.shorter_than - 1, o.seed,
                     repeated > 0 ? fmt::format("; {} repeated ones were left out", repeated) : "");
}

std::string generate_pathfinder(const Options& o, const Workers& workers) {
  constexpr std::int64_t kImages = 200'000;
  const PathfinderRule rule = pathfinder_rule(o.size.value_or(32), o.contour.value_or(14));
  const std::int64_t images = o.images.value_or(kImages);
  if (images == 0) refuse("`--images` is 0; it must be at least 1.");
  const auto parent = std::filesystem::path(o.out) / fmt::format("pathfinder{}", rule.size);
  std::filesystem::create_directories(parent);
  const std::string folder = (parent / pathfinder_folder(rule.contour)).string();
  write_pathfinder(PathfinderGenerator(rule, static_cast<std::uint64_t>(o.seed)), images, folder, workers);
  return fmt::format("{}: {} pictures of {} x {} pixels with contours of {} segments, seed {}.", folder,
                     images, rule.size, rule.size, rule.contour, o.seed);
}

int run(const Options& options, const Invocation& invocation) {
  if (!invocation.overrides.empty())
    refuse("`nystrom lra generate` has no configuration, so it does not take `--set`.");
  check_options(options);
  constexpr double kWeek = 7 * 86400;  // ranks need not finish together
  return with_comm({.timeout_seconds = kWeek}, [&](Comm& comm) -> int {
    const Workers workers = workers_of(options, comm);
    const std::string made = options.task == "listops" ? generate_listops(options, workers)
                                                       : generate_pathfinder(options, workers);
    if (comm.rank() == 0) fmt::print("{}\n", made);
    return kDone;
  });
}

}  // namespace

Command lra_command() {
  auto options = std::make_shared<Options>();
  return {
      .name = "lra",
      .summary = "Generate data of the Long Range Arena: ListOps and Pathfinder.",
      .details =
          "Writes the benchmark's files by its rules: DIR/listops/basic_{train,val,test}.tsv, or "
          "DIR/pathfinder32/curv_contour_length_14/{imgs,metadata}. Example i depends on the seed and i alone, so any "
          "number of ranks and threads writes the same bytes. `finetune` reads them with `task.kind: lra` "
          "(docs/lra.md).",
      .example =
          "nystrom lra generate listops --out lra\n"
          "nystrom lra generate listops --out short --longer-than 50 --shorter-than 200 --depth 5\n"
          "mpirun -n 8 nystrom lra generate pathfinder --out lra --size 128",
      .options =
          [options](OptionParser& app) {
            app.add_option("ACTION", options->action, "generate")->required()->type_name("generate");
            app.add_option("TASK", options->task, "What to generate.")
                ->required()
                ->type_name("listops|pathfinder");
            app.add_option("--out", options->out, "Directory to write to.")->required()->type_name("DIR");
            app.add_option("--seed", options->seed, "Seed of the examples.")->capture_default_str();
            app.add_option("--threads", options->threads, "Threads per rank. Default: its cores.");
            app.add_option("--train", options->train, "listops: training examples. Default: 96,000.");
            app.add_option("--validation", options->validation,
                           "listops: validation examples. Default: 2,000.");
            app.add_option("--test", options->test, "listops: test examples. Default: 2,000.");
            app.add_option("--depth", options->depth, "listops: levels of an expression. Default: 10.");
            app.add_option("--arguments", options->arguments,
                           "listops: maximum number of arguments of a list. Default: 10.");
            app.add_option("--longer-than", options->longer_than,
                           "listops: expressions have more tokens than this. Default: 500.");
            app.add_option("--shorter-than", options->shorter_than,
                           "listops: expressions have fewer tokens than this. Default: 2,000.");
            app.add_option("--images", options->images, "pathfinder: number of images. Default: 200,000.");
            app.add_option("--size", options->size,
                           "pathfinder: width and height in pixels, 32 or more. Default: 32.");
            app.add_option("--contour", options->contour,
                           "pathfinder: segments of a contour. The benchmark has 6, 9 and 14. Default: 14.");
          },
      .run = [options](const Invocation& invocation) { return run(*options, invocation); }};
}

}  // namespace nystrom
