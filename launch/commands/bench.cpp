#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>
#include <numeric>

#include "data/glob.h"
#include "kernels/tensor/cpu_features.h"
#include "launch/bench/bench.h"
#include "launch/bench/machine.h"
#include "launch/cli/config_option.h"
#include "launch/cli/failure.h"
#include "launch/config/options.h"
#include "launch/setup/backend.h"
#include "launch/setup/run_setup.h"
#include "trainer/comm/threads.h"

namespace nystrom {
namespace {

constexpr std::int64_t kDocumentSteps = 8;  // of batches with the lengths of documents
constexpr double kLoaderSeconds = 4;
constexpr std::int64_t kAutomaticTokens = 4096;  // of a micro-batch whose size is left open
constexpr std::int64_t kLeastSteps = 3;
constexpr std::int64_t kMostGivenSteps = 20;  // training.steps up to this are measured, more are a run
constexpr double kLeastSeconds = 4;           // of measured steps, where no number of them is given

// What a large product and a large copy reach on an H100 (docs/gpu.md), for the estimate of a run on one.
constexpr MachineCeiling kH100{.fp32_flops = 50e12, .bf16_flops = 790e12, .copy_bytes = 4.3e12};

struct Options {
  std::string config;
  std::int64_t steps = 0;  // to be measured; 0: as many as it takes
  bool json = false, documents = false, loader = false;
};

struct Part {
  std::string name;
  OpCount count;
  double bound_seconds = 0;
};

struct Result {
  std::vector<Part> parts;  // the longest first
  double seconds = 0, slowest = 0, fastest = 0;
  double bound_seconds = 0;
  double tokens_per_second = 0, share = 0;
  double memory_bytes = 0;
};

BenchOptions bench_options(Config config, Comm& comm) {
  Backend backend = choose_backend(config.training.backend, "training.backend");
  backend.time_products = true;
  check_cuda_graph(config, backend);
  const CommKind kind = communication_kind(config, backend);
  if (!config.model.vocabulary_size) config.model.vocabulary_size = 30000;
  BenchOptions options;
  options.model = model_options(config, nullptr);
  options.precision = precision(config, backend);
  options.device = open_device(backend, kind, comm);
  options.communication = {.kind = kind, .timeout_seconds = config.communication.timeout};
  options.recompute = config.training.recompute;
  options.cuda_graph = config.training.cuda_graph;
  options.threads = config.run.threads ? static_cast<int>(*config.run.threads) : threads_of_rank(comm);
  options.sequence_length = sequence_length(config, options.model);
  options.micro_batch = config.training.micro_batch.value_or(
      std::max<std::int64_t>(1, kAutomaticTokens / options.sequence_length));
  options.masking = config.data.masking.probability;
  options.objective = objective_options(config);
  options.seed = static_cast<std::uint64_t>(config.seed);
  return options;
}

// An op can be no faster than its arithmetic at the rate of a large matrix product, or than its bytes at the
// rate of a large copy.
double bound_seconds(const OpCount& count, const MachineCeiling& machine, DType precision) {
  const double rate = precision == DType::kBF16 ? machine.bf16_flops : machine.fp32_flops;
  return std::max(count.flops / rate, count.bytes / machine.copy_bytes);
}

Result result_of(const BenchTimes& times, const MachineCeiling& machine, DType precision, int ranks) {
  Result result;
  for (const auto& [name, count] : times.profile) {
    const double bound = bound_seconds(count, machine, precision);
    result.parts.push_back({name, count, bound});
    result.bound_seconds += bound;
  }
  std::ranges::sort(result.parts, std::greater{}, [](const Part& part) { return part.count.seconds; });
  std::vector<double> steps = times.step_seconds;
  std::ranges::sort(steps);
  result.seconds = steps[steps.size() / 2];
  result.fastest = steps.front();
  result.slowest = steps.back();
  // With rows of many lengths the steps differ: their mean then, and the bound is of the one profiled.
  const double spent = std::accumulate(steps.begin(), steps.end(), 0.0);
  const double tokens = static_cast<double>(times.tokens) * ranks;
  const double count = static_cast<double>(steps.size());
  result.tokens_per_second = times.even ? tokens / count / result.seconds : tokens / spent;
  result.share = result.bound_seconds / (times.even ? result.seconds : times.profiled_seconds);
  return result;
}

nlohmann::ordered_json as_json(const Result& result, const MachineCeiling& machine,
                               const BenchOptions& options, const Comm& comm) {
  nlohmann::ordered_json json, parts = nlohmann::ordered_json::object();
  for (const Part& part : result.parts)
    parts[part.name] = {{"milliseconds", 1e3 * part.count.seconds},
                        {"bound_milliseconds", 1e3 * part.bound_seconds},
                        {"calls", part.count.calls}};
  json["tokens_per_second"] = result.tokens_per_second;
  json["milliseconds_per_step"] = 1e3 * result.seconds;
  json["peak_memory_bytes"] = result.memory_bytes;
  json["share_of_bound"] = result.share;
  json["parts"] = parts;
  json["precision"] = name_of(options.precision);
  json["ranks"] = comm.ranks();
  json["threads"] = options.threads;
  json["sequence_length"] = options.sequence_length;
  json["micro_batch"] = options.micro_batch;
  json["cuda_graph"] = options.cuda_graph;
  if (!options.lengths.empty()) json["lengths"] = options.lengths;
  json["machine"] = {{"processor", CpuFeatures::detect().model},
                     {"fp32_gflops", machine.fp32_flops / 1e9},
                     {"bf16_gflops", machine.bf16_flops / 1e9},
                     {"copy_gigabytes_per_second", machine.copy_bytes / 1e9}};
  return json;
}

void print_table(const Result& result, const MachineCeiling& machine, const BenchOptions& options,
                 const Bench& bench, const Comm& comm) {
  fmt::print("{} parameters, {} x {}{} tokens a rank, {}, {} rank{} of {} thread{}\n", bench.parameters(),
             options.micro_batch, options.lengths.empty() ? "" : "up to ", options.sequence_length,
             name_of(options.precision), comm.ranks(), comm.ranks() == 1 ? "" : "s", options.threads,
             options.threads == 1 ? "" : "s");
  fmt::print("a step: {:.1f} ms (from {:.1f} to {:.1f}), {:.0f} tokens/s, memory {:.2f} GiB\n\n",
             1e3 * result.seconds, 1e3 * result.fastest, 1e3 * result.slowest, result.tokens_per_second,
             result.memory_bytes / (1024.0 * 1024.0 * 1024.0));
  fmt::print("{:<26}{:>7}{:>10}{:>8}{:>11}{:>9}{:>10}\n", "part", "calls", "ms", "share", "GFLOP/s", "GB/s",
             "of bound");
  double known = 0;
  for (const Part& part : result.parts) {
    const double seconds = part.count.seconds;
    known += seconds;
    fmt::print("{:<26}{:>7}{:>10.2f}{:>7.1f}%{:>11.1f}{:>9.1f}{:>9.1f}%\n", part.name, part.count.calls,
               1e3 * seconds, 100 * seconds / result.seconds, part.count.flops / seconds / 1e9,
               part.count.bytes / seconds / 1e9, 100 * part.bound_seconds / seconds);
  }
  fmt::print("{:<33}{:>10.2f}\n\n", "the rest of the profiled step",
             1e3 * std::max(0.0, result.seconds - known));
  fmt::print("this machine, measured now: {:.0f} GFLOP/s in fp32, ", machine.fp32_flops / 1e9);
  if (machine.bf16_flops > 0) fmt::print("{:.0f} in bf16, ", machine.bf16_flops / 1e9);
  fmt::print("copy {:.1f} GB/s\nshare of its bound: {:.1f} %\n", machine.copy_bytes / 1e9,
             100 * result.share);
}

std::string rough_time(double seconds) {
  if (seconds < 120) return fmt::format("{:.0f} seconds", seconds);
  if (seconds < 120 * 60) return fmt::format("{:.0f} minutes", seconds / 60);
  if (seconds < 48 * 3600) return fmt::format("{:.0f} hours", seconds / 3600);
  return fmt::format("{:.0f} days", seconds / 86400);
}

// What the run that a configuration describes takes here, and what it could take on a GPU, on full rows.
void print_run(const Result& result, const BenchOptions& options, const Config& config, int ranks) {
  const auto steps = config.training.steps.value_or(0);
  const auto at_once = options.micro_batch * ranks;
  const double passes =
      std::ceil(static_cast<double>(config.training.global_batch) / static_cast<double>(at_once));
  const double seconds = passes * static_cast<double>(steps) * result.seconds;
  if (steps == 0 || !options.lengths.empty()) return;
  fmt::print("the run of {} steps of {} sequences: about {} here, its sequences full", steps,
             config.training.global_batch, rough_time(seconds));
  if (options.device.is_gpu()) return fmt::print("\n");
  double bound = 0;
  for (const Part& part : result.parts) bound += bound_seconds(part.count, kH100, DType::kBF16);
  fmt::print(
      "; at least {} on one H100 in bf16 (by counts at {:.0f} TFLOP/s and {:.1f} TB/s, not measured)\n",
      rough_time(seconds / result.seconds * bound * ranks), kH100.bf16_flops / 1e12, kH100.copy_bytes / 1e12);
}

// A configuration's training.steps is the length of its run; few of them are all that is measured.
BenchTimes measure(Bench& bench, const Options& options, const Config& config) {
  if (options.steps > 0) return bench.run(options.steps, 0);
  if (const auto run = config.training.steps; run && *run <= kMostGivenSteps) return bench.run(*run, 0);
  return bench.run(kLeastSteps, kLeastSeconds);
}

int work(const Options& options, const Config& config, Comm& comm) {
  BenchOptions bench_for = bench_options(config, comm);
  if (options.documents)
    bench_for.lengths = document_lengths(expand_globs(config.data.shards, "data.shards"),
                                         bench_for.sequence_length, kDocumentSteps * bench_for.micro_batch);
  Bench bench(bench_for, comm);
  const BenchTimes times = measure(bench, options, config);
  const double memory = peak_memory_bytes();  // before the measurement of the machine takes its own
  Context context(bench_for.threads);
  comm.barrier("the measurement of the machine");
  const MachineCeiling machine =
      measure_machine(context, bench_for.precision == DType::kBF16 || bf16_is_native());
  if (comm.rank() != 0) return kDone;
  Result result = result_of(times, machine, bench_for.precision, comm.ranks());
  result.memory_bytes = memory;
  print_table(result, machine, bench_for, bench, comm);
  print_run(result, bench_for, config, comm.ranks());
  if (options.json) fmt::print("{}\n", as_json(result, machine, bench_for, comm).dump());
  return kDone;
}

// The loader alone, on one thread.
int work_loader(const Options& options, const Config& config) {
  const RunSetup setup = set_up_run(config, true);
  const LoaderTimes times = bench_loader(training_loader(setup), kLoaderSeconds);
  const double sequences = static_cast<double>(times.sequences) / times.seconds;
  const double tokens = static_cast<double>(times.tokens) / times.seconds;
  fmt::print("the loader on one thread, rows of at most {} tokens: {:.0f} sequences/s, {:.0f} tokens/s\n",
             setup.sequence_length, sequences, tokens);
  if (options.json)
    fmt::print("{}\n", nlohmann::ordered_json{{"sequences_per_second", sequences},
                                              {"tokens_per_second", tokens},
                                              {"sequence_length", setup.sequence_length}}
                           .dump());
  return kDone;
}

int run(const Options& options, const Invocation& invocation) {
  const Config config = read_config(options.config, invocation.overrides);
  if (options.loader) return work_loader(options, config);
  return with_comm({.timeout_seconds = config.communication.timeout},
                   [&](Comm& comm) { return work(options, config, comm); });
}

}  // namespace

Command bench_command() {
  auto options = std::make_shared<Options>();
  return {
      .name = "bench",
      .summary = "tokens a second, time by part, share of the machine's limit",
      .details =
          "A training step (forward, backward, AdamW, with dropout) on full rows of random tokens; needs no "
          "data. The machine's limit is measured in the same run. Measured are --steps steps, or "
          "training.steps where they are at most 20, else at least 3 steps and 4 seconds; of a longer run "
          "the time that it would take is told. --documents packs rows as long as the documents of "
          "data.shards instead; --loader times reading, masking and pairing alone.",
      .example =
          "nystrom bench --set model.layers=4 --set data.sequence_length=1024\n"
          "nystrom bench configs/pretrain-base.yaml --set training.precision=fp32 --json",
      .options =
          [options](CLI::App& app) {
            add_config_argument(app, options->config, false);
            app.add_option("--steps", options->steps, "how many steps to measure")
                ->check(CLI::PositiveNumber)
                ->type_name("N");
            app.add_flag("--json", options->json, "end with one line of JSON");
            app.add_flag(
                "--documents", options->documents,
                "rows as long as the documents of data.shards, one a row, cut at the sequence length");
            app.add_flag("--loader", options->loader, "only the loader over data.shards, on one thread");
          },
      .run = [options](const Invocation& invocation) { return run(*options, invocation); }};
}

}  // namespace nystrom
