#include <algorithm>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>
#include <numeric>

#include "data/glob.h"
#include "data/shards/shard_check.h"
#include "data/shards/shard_reader.h"
#include "kernels/tensor/cpu_features.h"
#include "launch/bench/bench.h"
#include "launch/bench/estimate.h"
#include "launch/bench/machine.h"
#include "launch/cli/config_option.h"
#include "launch/cli/failure.h"
#include "launch/cli/log.h"
#include "launch/cli/option_parser.h"
#include "launch/config/options.h"
#include "launch/models/model_source.h"
#include "launch/models/tokenizer_search.h"
#include "launch/setup/backend.h"
#include "launch/setup/run_setup.h"
#include "launch/setup/run_shards.h"
#include "trainer/comm/launcher.h"
#include "trainer/comm/threads.h"

namespace nystrom {
namespace {

constexpr std::int64_t kDocumentSteps = 8;  // batches with the lengths of documents
constexpr double kLoaderSeconds = 4;
constexpr std::int64_t kAutomaticTokens = 4096;  // of a micro-batch if `training.micro_batch` is not given
constexpr std::int64_t kMaxGivenSteps = 20;  // a larger `training.steps` is a run, not a number to measure
constexpr std::int64_t kMinSteps = 3;        // measured for such a run,
constexpr double kMinSeconds = 4;            // and for at least this long

struct Options {
  std::string config;
  std::int64_t steps = 0;  // measured steps; 0: chosen by measure()
  bool json = false, documents = false, loader = false, kernels = false;
};

struct Part {
  std::string name;
  OpCount count;
  double bound_seconds = 0;
};

struct Result {
  std::vector<Part> parts;  // the longest first
  double seconds = 0, slowest = 0, fastest = 0;
  double bound_seconds = 0, units_seconds = 0;
  double tokens_per_second = 0, share = 0, share_of_units = 0;
  double memory_bytes = 0;
};

/// That of the run: the model's that it starts from, else that of the first shard, else the size of the
/// tokenizer that `prepare` would use.
std::int64_t vocabulary_of(const Config& config, const std::optional<ModelSource>& from) {
  if (from) return from->config().vocabulary_size;
  for (const auto& pattern : config.data.shards)
    for (const auto& shard : expand_glob(pattern))
      if (shard_kind(shard) == ShardKind::kNystrom) return ShardReader(shard).header().vocabulary_size;
  if (!config.tokenizer.path.empty()) return read_any_tokenizer(config.tokenizer.path).vocabulary_size();
  return config.tokenizer.vocabulary_size;
}

BenchOptions bench_options(Config config, Comm& comm) {
  Backend backend = choose_backend(config.training.backend, "training.backend");
  backend.time_products = true;
  check_cuda_graph(config, backend);
  check_communication(config, backend);
  const CommKind kind = config.communication.kind;
  std::optional<ModelSource> from;
  if (!config.model.from.empty()) from.emplace(config.model.from);
  if (!config.model.vocabulary_size) config.model.vocabulary_size = vocabulary_of(config, from);
  BenchOptions options;
  options.model = model_options(config, from ? &from->config() : nullptr);
  options.precision = precision(config, backend);
  options.device = open_device(backend, kind, comm);
  options.communication = {.kind = kind, .timeout_seconds = config.communication.timeout};
  options.recompute = config.training.recompute;
  options.cuda_graph = config.training.cuda_graph;
  options.threads = threads_of_rank(comm, config.run.threads.value_or(0));
  options.sequence_length = sequence_length(config, options.model);
  options.micro_batch = config.training.micro_batch.value_or(
      std::max<std::int64_t>(1, kAutomaticTokens / options.sequence_length));
  options.masking = config.data.masking.probability;
  options.objective = objective_options(config);
  options.optimizer = config.optimizer;
  options.seed = static_cast<std::uint64_t>(config.seed);
  return options;
}

Result result_of(const BenchTimes& times, const MachineCeiling& machine, DType precision, int ranks) {
  Result result;
  for (const auto& [name, count] : times.profile) {
    const double bound = bound_seconds(count, machine, precision);
    result.parts.push_back({name, count, bound});
    result.bound_seconds += bound;
    result.units_seconds += units_seconds(count, machine, precision);
  }
  std::ranges::sort(result.parts, std::greater{}, [](const Part& part) { return part.count.seconds; });
  std::vector<double> steps = times.step_seconds;
  std::ranges::sort(steps);
  result.seconds = steps[steps.size() / 2];
  result.fastest = steps.front();
  result.slowest = steps.back();
  // Steps on sequences of different lengths differ: their mean then, and the bound is that of the profiled
  // one.
  const double spent = std::accumulate(steps.begin(), steps.end(), 0.0);
  const double tokens = static_cast<double>(times.tokens) * ranks;
  const double count = static_cast<double>(steps.size());
  result.tokens_per_second = times.even ? tokens / count / result.seconds : tokens / spent;
  const double profiled = times.even ? result.seconds : times.profiled_seconds;
  result.share = result.bound_seconds / profiled;
  result.share_of_units = result.units_seconds / profiled;
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
  if (result.share_of_units > 0) json["share_of_units"] = result.share_of_units;
  json["parts"] = parts;
  json["precision"] = name_of(options.precision);
  json["optimizer"] = options.optimizer.kind;
  json["ranks"] = comm.ranks();
  json["threads"] = options.threads;
  json["sequence_length"] = options.sequence_length;
  json["micro_batch"] = options.micro_batch;
  json["cuda_graph"] = options.cuda_graph;
  if (!options.lengths.empty()) json["lengths"] = options.lengths;
  json["machine"] = {{options.device.is_gpu() ? "gpu" : "processor",
                      options.device.is_gpu() ? options.device.text() : CpuFeatures::detect().model},
                     {"fp32_gflops", machine.fp32_flops / 1e9},
                     {"bf16_gflops", machine.bf16_flops / 1e9},
                     {"copy_gigabytes_per_second", machine.copy_bytes / 1e9}};
  if (options.device.is_gpu()) {
    json["machine"]["wgmma"] = options.device.wgmma();
  } else {
    json["machine"]["bf16_products"] = machine.bf16_products;
    json["machine"]["fp32_unit_gflops"] = machine.fp32_units / 1e9;
    json["machine"]["bf16_unit_gflops"] = machine.bf16_units / 1e9;
    json["machine"]["threads_ratio"] = machine.threads_ratio;
  }
  return json;
}

nlohmann::ordered_json as_json(const KernelTimes& kernels) {
  auto json = nlohmann::ordered_json::object();
  for (const auto& [name, time] : kernels)
    json[name] = {{"milliseconds", 1e3 * time.seconds}, {"calls", time.calls}};
  return json;
}

/// The longest first.
void print_kernels(const KernelTimes& kernels, double step_seconds) {
  std::vector<std::pair<std::string, KernelTime>> all(kernels.begin(), kernels.end());
  std::ranges::sort(all, std::greater{}, [](const auto& kernel) { return kernel.second.seconds; });
  double known = 0;
  fmt::print("\n{:<58}{:>7}{:>10}{:>8}\n", "kernel or product", "calls", "ms", "share");
  for (const auto& [name, time] : all) {
    known += time.seconds;
    fmt::print("{:<58}{:>7}{:>10.3f}{:>7.1f}%\n", name, time.calls, 1e3 * time.seconds,
               100 * time.seconds / step_seconds);
  }
  fmt::print("{:<65}{:>10.3f}{:>7.1f}%\n", "together", 1e3 * known, 100 * known / step_seconds);
}

void print_table(const Result& result, const MachineCeiling& machine, const BenchOptions& options,
                 const Bench& bench, const Comm& comm) {
  fmt::print("{} parameters, {} x {}{} tokens per rank, {}, {}, {} rank{} of {} thread{}\n",
             bench.parameters(), options.micro_batch, options.lengths.empty() ? "" : "up to ",
             options.sequence_length, name_of(options.precision), options.optimizer.kind, comm.ranks(),
             comm.ranks() == 1 ? "" : "s", options.threads, options.threads == 1 ? "" : "s");
  fmt::print("step: {:.1f} ms (min {:.1f}, max {:.1f}), {:.0f} tokens/s, peak memory {:.2f} GiB\n\n",
             1e3 * result.seconds, 1e3 * result.fastest, 1e3 * result.slowest, result.tokens_per_second,
             result.memory_bytes / (1024.0 * 1024.0 * 1024.0));
  fmt::print("{:<26}{:>7}{:>10}{:>8}{:>11}{:>9}{:>10}\n", "op", "calls", "ms", "share", "GFLOP/s", "GB/s",
             "of bound");
  double known = 0;
  for (const Part& part : result.parts) {
    const double seconds = part.count.seconds;
    known += seconds;
    fmt::print("{:<26}{:>7}{:>10.2f}{:>7.1f}%{:>11.1f}{:>9.1f}{:>9.1f}%\n", part.name, part.count.calls,
               1e3 * seconds, 100 * seconds / result.seconds, part.count.flops / seconds / 1e9,
               part.count.bytes / seconds / 1e9, 100 * part.bound_seconds / seconds);
  }
  fmt::print("{:<33}{:>10.2f}\n\n", "outside of ops", 1e3 * std::max(0.0, result.seconds - known));
  fmt::print("measured on {}: {:.0f} GFLOP/s in fp32, ",
             options.device.is_gpu() ? options.device.text() : "this machine", machine.fp32_flops / 1e9);
  if (machine.bf16_flops > 0) fmt::print("{:.0f} in bf16, ", machine.bf16_flops / 1e9);
  fmt::print("memory copy {:.1f} GB/s\nshare of bound: {:.1f} %\n", machine.copy_bytes / 1e9,
             100 * result.share);
  if (result.share_of_units <= 0) return;
  fmt::print("the units alone, without memory: {:.0f} GFLOP/s in fp32", machine.fp32_units / 1e9);
  if (machine.bf16_units > 0) fmt::print(", {:.0f} in bf16", machine.bf16_units / 1e9);
  if (options.threads > 1)
    fmt::print("; {} threads reach {:.2f} times as much as one", options.threads, machine.threads_ratio);
  fmt::print("\nshare of the units: {:.1f} %\n", 100 * result.share_of_units);
}

// Time of the configured run here, and estimates for GPUs, on full sequences.
void print_run(const Result& result, const Profile& profile, const BenchOptions& options,
               const Config& config, int ranks) {
  const auto steps = config.training.steps.value_or(0);
  if (steps == 0 || !options.lengths.empty()) return;
  const auto at_once = options.micro_batch * ranks;
  const double passes =
      static_cast<double>(steps) *
      std::ceil(static_cast<double>(config.training.global_batch) / static_cast<double>(at_once));
  fmt::print("\nThe run of {} steps of {} full sequences would take about {} here.\n", steps,
             config.training.global_batch, rough_time(passes * result.seconds));
  if (options.device.is_gpu()) return;
  fmt::print(
      "Not measured: one GPU in bf16, from FLOP and byte counts at the peak rates of its data sheet:\n");
  for (const GpuPeak& gpu : kGpuPeaks)
    fmt::print("  {:<15} {:>5.0f} TFLOP/s {:>6.2f} TB/s  {}\n", gpu.name, gpu.bf16_flops / 1e12,
               gpu.memory_bytes / 1e12, rough_time(passes * ranks * seconds_at_peak(profile, gpu)));
}

// `training.steps` of a configuration is the length of its run, of which a few steps are measured.
BenchTimes measure(Bench& bench, const Options& options, const Config& config) {
  if (options.steps > 0) return bench.run(options.steps, 0, options.kernels);
  if (const auto run = config.training.steps; run && *run <= kMaxGivenSteps)
    return bench.run(*run, 0, options.kernels);
  return bench.run(kMinSteps, kMinSeconds, options.kernels);
}

int work(const Options& options, const Config& config, Comm& comm) {
  BenchOptions bench_for = bench_options(config, comm);
  if (options.documents)
    bench_for.lengths = document_lengths(expand_globs(config.data.shards, "data.shards"),
                                         bench_for.sequence_length, kDocumentSteps * bench_for.micro_batch);
  for (const auto& warning :
       thread_warnings(comm, bench_for.threads, config.run.threads.value_or(0), bench_for.device.is_gpu()))
    Log(comm.rank()).warning(warning);
  const bool gpu = bench_for.device.is_gpu();
  if (options.kernels && !gpu) refuse("`--kernels` needs a GPU, but this run uses the CPU.");
  Context context = bench_for.device.context(bench_for.threads);
  const auto ceilings = [&] {
    comm.barrier("the measurement of the machine");
    return measure_machine(context, gpu || bench_for.precision == DType::kBF16 || bf16_is_native());
  };
  // A GPU's memory is free before the model comes; the CPU's is read before the ceilings take some.
  MachineCeiling machine = gpu ? ceilings() : MachineCeiling();
  Bench bench(bench_for, comm);
  const BenchTimes times = measure(bench, options, config);
  const double memory = gpu ? static_cast<double>(bench_for.device.used_bytes()) : peak_memory_bytes();
  if (!gpu) machine = ceilings();
  if (comm.rank() != 0) return kDone;
  Result result = result_of(times, machine, bench_for.precision, comm.ranks());
  result.memory_bytes = memory;
  print_table(result, machine, bench_for, bench, comm);
  if (options.kernels) print_kernels(times.kernels, result.seconds);
  print_run(result, times.profile, bench_for, config, comm.ranks());
  if (options.json) {
    auto json = as_json(result, machine, bench_for, comm);
    if (options.kernels) json["kernels"] = as_json(times.kernels);
    fmt::print("{}\n", json.dump());
  }
  return kDone;
}

// `--loader`: the loader alone, on one thread.
int work_loader(const Options& options, const Config& config) {
  const RunSetup setup = set_up_run(config, true);
  const LoaderTimes times = bench_loader(training_loader(setup), kLoaderSeconds);
  const double sequences = static_cast<double>(times.sequences) / times.seconds;
  const double tokens = static_cast<double>(times.tokens) / times.seconds;
  fmt::print("loader on one thread, sequences of up to {} tokens: {:.0f} sequences/s, {:.0f} tokens/s\n",
             setup.sequence_length, sequences, tokens);
  if (options.json)
    fmt::print("{}\n", nlohmann::ordered_json{{"sequences_per_second", sequences},
                                              {"tokens_per_second", tokens},
                                              {"sequence_length", setup.sequence_length}}
                           .dump());
  return kDone;
}

int run(const Options& options, const Invocation& invocation) {
  Config config = read_config(options.config, invocation.overrides);
  warn_of_unused_keys(Log(launched_rank()), config, options.loader ? "bench --loader" : "bench");
  use_prepared_shards(config);
  if (options.loader) return work_loader(options, config);
  for (const auto& pattern : config.data.shards) check_shards(expand_glob(pattern), config.run.check_shards);
  return with_comm({.timeout_seconds = config.communication.timeout},
                   [&](Comm& comm) { return work(options, config, comm); });
}

}  // namespace

Command bench_command() {
  auto options = std::make_shared<Options>();
  return {
      .name = "bench",
      .summary = "Measure tokens per second, time by op and the share of the machine's bound.",
      .details =
          "Runs training steps (forward, backward and the optimizer, with dropout) on full sequences of random "
          "tokens; no data is needed. The bound is measured in the same run, on the device that computes. Without `--steps`, "
          "`training.steps` steps are measured if they are at most 20, else at least 3 steps and 4 seconds; "
          "for a longer run the estimated total time is printed. With `--documents`, sequences are as "
          "long as the documents of `data.shards`. With `--loader`, only reading, masking and pairing are "
          "measured. With `--kernels`, one more step times each kernel of the GPU.",
      .example =
          "nystrom bench --set model.layers=4 --set data.sequence_length=1024\n"
          "nystrom bench configs/pretrain-base.yaml --set training.precision=fp32 --json",
      .options =
          [options](OptionParser& app) {
            add_config_argument(app, options->config, false);
            app.add_option("--steps", options->steps, "Number of steps to measure.")
                ->positive()
                ->type_name("N");
            app.add_flag("--json", options->json, "Print one line of JSON at the end.");
            app.add_flag("--kernels", options->kernels,
                         "Time each kernel and matrix product of a GPU, in a separate step.");
            app.add_flag("--documents", options->documents,
                         "One document of `data.shards` per sequence, truncated to the sequence length.");
            app.add_flag("--loader", options->loader,
                         "Measure only the loader over `data.shards`, on one thread.");
          },
      .run = [options](const Invocation& invocation) { return run(*options, invocation); }};
}

}  // namespace nystrom
