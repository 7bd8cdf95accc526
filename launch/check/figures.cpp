#include "launch/check/figures.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "kernels/core/check.h"
#include "kernels/core/folders.h"
#include "kernels/tensor/buffer.h"
#include "launch/bench/estimate.h"
#include "launch/bench/machine.h"
#include "model/attention/registry.h"

namespace nystrom {
namespace {

using OrderedJson = nlohmann::ordered_json;

void row(CheckReport& report, const char* name, std::string text) {
  report.rows.emplace_back(name, std::move(text));
}

std::string size_text(double bytes) {
  constexpr double kKiB = 1024, kMiB = kKiB * 1024, kGiB = kMiB * 1024, kTiB = kGiB * 1024;
  if (bytes < kMiB) return fmt::format("{:.0f} KiB", bytes / kKiB);
  if (bytes < 10 * kMiB) return fmt::format("{:.1f} MiB", bytes / kMiB);
  if (bytes < kGiB) return fmt::format("{:.0f} MiB", bytes / kMiB);
  return bytes < kTiB ? fmt::format("{:.1f} GiB", bytes / kGiB) : fmt::format("{:.1f} TiB", bytes / kTiB);
}

std::string size_text(std::size_t bytes) {
  return size_text(static_cast<double>(bytes));
}

std::string counted(std::int64_t count, std::string_view noun) {
  const std::string_view plural = noun.ends_with("ch") ? "es" : "s";
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : plural);
}

std::string model_text(const ModelConfig& model, std::int64_t parameters) {
  const AttentionConfig& a = model.attention;
  const std::string count = parameters < 100'000
                                ? std::to_string(parameters)
                                : fmt::format("{:.1f} million", static_cast<double>(parameters) * 1e-6);
  return fmt::format("{} parameters: {} of {}, {}, {}, up to {} tokens", count,
                     counted(model.layers, "layer"), model.hidden_size, counted(a.heads, "head"),
                     attention_entry(a.kind).describe(a), model.max_positions);
}

/// Micro-batches that a rank accumulates in a step, at most.
std::int64_t micro_batches(const RunInfo& info) {
  const std::int64_t share = (info.global_batch + info.ranks - 1) / info.ranks;
  return (share + info.micro_batch - 1) / info.micro_batch;
}

std::string compute_text(const StartReport& start) {
  const RunInfo& info = start.info;
  return fmt::format("{}, {}; {} of {}; {} per step in {} of {} on a rank", start.backend, info.precision,
                     counted(info.ranks, "rank"), counted(info.threads, "thread"),
                     counted(info.global_batch, "sequence"), counted(micro_batches(info), "micro-batch"),
                     info.micro_batch);
}

std::string verdict(StartKind kind, const std::string& directory, const RunInfo& info) {
  if (info.first_step > info.steps)
    return fmt::format("`nystrom {}` would do nothing: {} has done all of its {} steps.", name_of(kind),
                       directory, info.steps);
  if (info.resumed_from.empty())
    return fmt::format("`nystrom {}` would start a new run in {}.", name_of(kind), directory);
  return fmt::format("`nystrom {}` would resume from {}, at step {} of {}.", name_of(kind), info.resumed_from,
                     info.first_step, info.steps);
}

std::size_t total_of(const std::vector<MemoryPart>& parts) {
  return std::accumulate(parts.begin(), parts.end(), std::size_t{0},
                         [](std::size_t sum, const MemoryPart& part) { return sum + part.bytes; });
}

void add_free_disk(CheckReport& report, const std::string& directory) {
  const std::uint64_t bytes = free_disk_bytes(directory);
  row(report, "disk", fmt::format("{} free", size_text(static_cast<double>(bytes))));
  report.json["free_disk_bytes"] = bytes;
}

/// Checkpoints that are on the disk together: those that are kept, and the one being written.
std::int64_t checkpoints_at_once(const Config& config, const RunInfo& info) {
  const KeepPolicy& keep = config.checkpoint.keep;
  const std::int64_t forever = keep.every > 0 ? info.steps / keep.every : 0;
  return keep.newest + keep.best + forever + 1;
}

void add_disk(CheckReport& report, const Demand& demand) {
  const std::int64_t count = checkpoints_at_once(demand.config, demand.start.info) * demand.runs;
  const auto one = static_cast<double>(demand.start.checkpoint_bytes);
  const double wanted = one * static_cast<double>(count);
  const auto free_bytes = static_cast<double>(free_disk_bytes(demand.config.run.directory));
  row(report, "disk",
      fmt::format("{} a checkpoint, up to {} of them: {}; {} free", size_text(one), count, size_text(wanted),
                  size_text(free_bytes)));
  report.json["checkpoint_bytes"] = demand.start.checkpoint_bytes;
  report.json["checkpoints"] = count;
  report.json["free_disk_bytes"] = free_disk_bytes(demand.config.run.directory);
  if (wanted > free_bytes && free_bytes > 0)
    report.warnings.push_back(
        fmt::format("The checkpoints in {} need up to {}, and its disk has {} free; lower `checkpoint.keep`.",
                    demand.config.run.directory, size_text(wanted), size_text(free_bytes)));
}

void add_time(CheckReport& report, const Demand& demand) {
  const TimedSteps& timed = demand.start.timed;
  if (timed.steps == 0) return;
  const double left = demand.start.seconds_left() * static_cast<double>(demand.runs);
  const std::int64_t a_step = timed.sequences / timed.steps;
  const double seconds = timed.seconds / static_cast<double>(timed.steps);
  row(report, "time",
      fmt::format(
          "{} for the rest of the run, without evaluations and checkpoints: {} of {} took {:.3g} s each, "
          "{:.0f} tokens/s",
          left < 0.1 ? rough_time(left) : "about " + rough_time(left), counted(timed.steps, "timed step"),
          counted(a_step, "sequence"), seconds, timed.tokens_per_second));
  report.json["timed_steps"] = timed.steps;
  report.json["sequences_per_timed_step"] = a_step;
  report.json["seconds_per_timed_step"] = seconds;
  report.json["tokens_per_second"] = timed.tokens_per_second;
  report.json["seconds_left"] = left;
}

}  // namespace

void add_preparation(CheckReport& report, const Config& config, const PrepareStart& start) {
  const std::string& directory = config.output.directory;
  report.verdict =
      start.complete
          ? fmt::format("`nystrom prepare` would do nothing: {} holds this preparation.", directory)
      : start.resumes ? fmt::format("`nystrom prepare` would resume the preparation in {}.", directory)
                      : fmt::format("`nystrom prepare` would start a preparation in {}.", directory);
  report.json["state"] = start.complete ? "complete" : start.resumes ? "resumes" : "new";
  report.json["output_directory"] = directory;
  if (start.complete) return;
  for (const auto& source : start.sources) {
    row(report, "corpus",
        fmt::format("{} ({}): {}, {}", source.name, source.spec.path, counted(source.files, "file"),
                    size_text(static_cast<double>(source.bytes))));
    report.json["corpus"].push_back({{"name", source.name},
                                     {"kind", source.spec.kind},
                                     {"path", source.spec.path},
                                     {"files", source.files},
                                     {"bytes", source.bytes}});
  }
  row(report, "tokenizer",
      config.tokenizer.path.empty()
          ? fmt::format("trained: {}, {} tokens", config.tokenizer.kind, config.tokenizer.vocabulary_size)
          : config.tokenizer.path);
  row(report, "compute", counted(start.threads, "thread"));
  report.json["threads"] = start.threads;
  add_free_disk(report, directory);
}

void add_task_preparation(CheckReport& report, const Config& config, const TaskPreparation& preparation) {
  report.verdict = fmt::format("`nystrom prepare` would write {}.", preparation.path);
  report.json["state"] = "new";
  report.json["output_directory"] = config.output.directory;
  report.json["output"] = preparation.path;
  row(report, "data", preparation.found);
  add_free_disk(report, config.output.directory);
}

void add_run(CheckReport& report, StartKind kind, const Config& config, const ModelConfig& model,
             const StartReport& start) {
  const RunInfo& info = start.info;
  report.verdict = verdict(kind, config.run.directory, info);
  row(report, "model", model_text(model, info.parameters));
  row(report, "compute", compute_text(start));
  OrderedJson& json = report.json;
  json["state"] = info.first_step > info.steps ? "complete" : info.resumed_from.empty() ? "new" : "resumes";
  json["run_directory"] = config.run.directory;
  json["resumed_from"] = info.resumed_from.empty() ? OrderedJson() : OrderedJson(info.resumed_from);
  json["first_step"] = info.first_step;
  json["steps"] = info.steps;
  json["parameters"] = info.parameters;
  json["backend"] = start.backend;
  json["precision"] = info.precision;
  json["ranks"] = info.ranks;
  json["threads"] = info.threads;
  json["global_batch"] = info.global_batch;
  json["micro_batch"] = info.micro_batch;
  json["sequence_length"] = config.data.sequence_length.value_or(0);
}

void add_shards(CheckReport& report, std::string_view split, const ShardTotals& totals) {
  if (totals.files == 0) return;
  report.json["shards"][split] = {{"files", totals.files},
                                  {"documents", totals.documents},
                                  {"tokens", totals.tokens},
                                  {"corpora", totals.corpora}};
}

void add_epochs(CheckReport& report, const StartReport& start) {
  for (const auto& [corpus, epochs] : start.epochs) report.json["epochs"][corpus] = epochs;
}

void add_task(CheckReport& report, const Config& config, const StartReport& start) {
  std::vector<std::string> texts;
  for (const auto& [split, rows] : start.rows) {
    texts.push_back(fmt::format("{} {}", split, rows));
    report.json["examples"][split] = rows;
  }
  row(report, "data",
      fmt::format("{}{}{}: {} examples", config.task.kind, config.task.name.empty() ? "" : " ",
                  config.task.name, fmt::join(texts, ", ")));
  const double epochs = start.epochs.front().second;
  row(report, "epochs", fmt::format("{:.3g}, {}", epochs, counted(start.info.steps, "step")));
  report.json["epochs"] = epochs;
}

void add_grid(CheckReport& report, const std::vector<GridPoint>& points) {
  row(report, "grid",
      fmt::format("{}, one after another; the figures are those of the first, {}",
                  counted(std::ssize(points), "run"), points.front().name));
  report.json["grid_points"] = points.size();
}

void add_memory(CheckReport& report, const Demand& demand, const MachineMemory& machine) {
  const std::vector<MemoryPart>& parts = demand.start.memory;
  const std::size_t total = total_of(parts);
  std::vector<std::string> texts;
  OrderedJson bytes;
  for (const MemoryPart& part : parts) {
    texts.push_back(fmt::format("{} {}", part.name, size_text(part.bytes)));
    bytes[part.name] = part.bytes;
  }
  const bool known = machine.left_bytes > 0;
  const double available = known ? machine.left_bytes + machine.peak_bytes : 0;  // the check's own is free
  row(report, "memory", fmt::format("{} on a rank: {}", size_text(total), fmt::join(texts, ", ")));
  row(report, "",
      fmt::format("{} at the peak of this check, libraries and data included; {}",
                  size_text(machine.peak_bytes),
                  known ? fmt::format("this machine has {} of memory for programs", size_text(available))
                        : "the memory of this machine is unknown"));
  report.json["memory_bytes"] = bytes;
  report.json["memory_bytes_total"] = total;
  report.json["peak_memory_bytes"] = std::llround(machine.peak_bytes);
  report.json["available_memory_bytes"] = known ? OrderedJson(std::llround(available)) : OrderedJson();
  const double wanted = static_cast<double>(total) * demand.local_ranks;
  if (demand.start.backend == "cpu" && known && wanted > available)
    report.warnings.push_back(fmt::format(
        "The {} of this machine take {} of memory together, and it has {} left, so no step was timed; lower "
        "`training.micro_batch`, or set `training.recompute`.",
        counted(demand.local_ranks, "rank"), size_text(wanted), size_text(available)));
}

void add_machine(CheckReport& report, const Demand& demand) {
  add_memory(report, demand, {.peak_bytes = peak_memory_bytes(), .left_bytes = available_memory_bytes()});
  add_disk(report, demand);
  add_time(report, demand);
}

std::string check_text(const CheckReport& report) {
  std::string text = report.verdict + "\n\n";
  for (const auto& [name, figures] : report.rows) text += fmt::format("{:<11}{}\n", name, figures);
  if (!report.notes.empty()) text += "\n";
  for (const auto& note : report.notes) text += fmt::format("{}\n", note);
  if (!report.warnings.empty()) text += "\n";
  for (const auto& warning : report.warnings) text += fmt::format("warning: {}\n", warning);
  return text;
}

}  // namespace nystrom
