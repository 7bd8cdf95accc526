#include "launch/config/command_keys.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <span>
#include <vector>

#include "kernels/core/check.h"

namespace nystrom {
namespace {

using Keys = std::span<const std::string_view>;

// A name that ends with a dot is a whole section.
constexpr std::string_view kPretrainNeeds[] = {"run.directory", "data.shards", "training.steps"};
constexpr std::string_view kTaskPretrainNeeds[] = {"run.directory", "task.name", "task.path",
                                                   "training.steps"};
constexpr std::string_view kFinetuneNeeds[] = {"run.directory", "task.kind"};
constexpr std::string_view kPrepareNeeds[] = {"corpus", "output.directory"};

constexpr std::string_view kPretrainFile[] = {"training.epochs", "training.patience", "schedule.warmup_share",
                                              "model.reinitialize_layers", "model.reinitialize_head"};
constexpr std::string_view kShards[] = {"data.validation",  "data.mixture",
                                        "data.packing",     "data.pairs",
                                        "run.check_shards", "data.short_sequence_probability"};
constexpr std::string_view kFinetuneFile[] = {"checkpoint.every_steps", "evaluation.batches",
                                              "training.batch_schedule"};

constexpr std::string_view kText[] = {"corpus", "cleaning."};
constexpr std::string_view kTask[] = {"task.", "grid"};
constexpr std::string_view kOutput[] = {"output."};
constexpr std::string_view kTextSamples[] = {
    "data.shards", "data.validation", "data.shuffle", "data.mixture",     "data.packing",
    "data.pairs",  "data.masking.",   "objective.",   "run.check_shards", "data.short_sequence_probability"};
constexpr std::string_view kWholeTraining[] = {"model.",     "data.",     "objective.",  "training.",
                                               "optimizer.", "schedule.", "checkpoint.", "evaluation."};
constexpr std::string_view kOptimizer[] = {"optimizer."};
// A run's course, which neither an evaluation nor a measurement has.
constexpr std::string_view kCourse[] = {"schedule.",
                                        "checkpoint.",
                                        "grid",
                                        "communication.bucket_mib",
                                        "communication.reduction",
                                        "communication.sequence_ranks",
                                        "evaluation.every_steps",
                                        "model.reinitialize_layers",
                                        "model.reinitialize_head",
                                        "output.shard_tokens",
                                        "output.validation_fraction",
                                        "output.test_fraction",
                                        "output.normalization",
                                        "run.log_every",
                                        "run.resume",
                                        "run.pinv_residual_every",
                                        "run.pinv_residual_limit",
                                        "run.report",
                                        "run.noise_scale_every",
                                        "run.profile_steps",
                                        "run.stop_after",
                                        "run.on_report",
                                        "run.metrics_file",
                                        "training.epochs",
                                        "training.patience",
                                        "training.batch_schedule",
                                        "training.clip_norm",
                                        "training.on_nonfinite",
                                        "training.on_spike",
                                        "training.spike_z_score",
                                        "training.spike_window",
                                        "training.check_every",
                                        "training.deterministic",
                                        "training.zero"};
constexpr std::string_view kNotEvaluated[] = {"task.",          "data.shards",        "data.mixture",
                                              "training.steps", "training.recompute", "training.cuda_graph"};
constexpr std::string_view kNotOfATask[] = {"evaluation.batches", "output.directory", "training.steps"};
constexpr std::string_view kNotMeasured[] = {"task.",
                                             "run.directory",
                                             "run.check_shards",
                                             "evaluation.batches",
                                             "data.validation",
                                             "data.shuffle",
                                             "data.mixture",
                                             "data.packing",
                                             "data.pairs",
                                             "data.short_sequence_probability",
                                             "data.masking.mask",
                                             "data.masking.random",
                                             "data.masking.unit"};
constexpr std::string_view kNotOfALoader[] = {
    "task.",          "run.directory",     "run.threads", "evaluation.batches", "communication.timeout",
    "training.steps", "training.recompute"};

struct CommandKeys {
  std::string_view command;
  Keys needed = {}, of_file = {};
  std::array<Keys, 5> of_set = {};
  std::string_view remark_on = {}, remark = {};
  std::string_view who = {};  // in the sentence; empty: the command
};
constexpr CommandKeys kCommands[] = {
    {"pretrain",
     kPretrainNeeds,
     kPretrainFile,
     {kTask, kText},
     "schedule.warmup_share",
     " The warmup of `pretrain` is `schedule.warmup_steps`."},
    {"pretrain of a task",
     kTaskPretrainNeeds,
     kPretrainFile,
     {kShards, kText, kOutput},
     "schedule.warmup_share",
     " The warmup of `pretrain` is `schedule.warmup_steps`.",
     "`pretrain` of a task"},
    {"finetune",
     kFinetuneNeeds,
     kFinetuneFile,
     {kTextSamples, kText, kOutput},
     "training.steps",
     " Its length is `training.epochs`."},
    {.command = "prepare", .needed = kPrepareNeeds, .of_set = {kWholeTraining, kTask}},
    {.command = "evaluate", .of_set = {kCourse, kOptimizer, kText, kNotEvaluated}},
    {.command = "evaluate of a task",
     .of_set = {kCourse, kOptimizer, kText, kTextSamples, kNotOfATask},
     .who = "`evaluate` of a task"},
    {.command = "bench", .of_set = {kCourse, kText, kNotMeasured}},
    {.command = "bench --loader", .of_set = {kCourse, kOptimizer, kText, kNotOfALoader}},
};

bool names(Keys keys, std::string_view key) {
  return std::ranges::any_of(keys, [key](std::string_view each) {
    return each.ends_with('.') ? key.starts_with(each) : key == each;
  });
}

bool names(std::span<const Keys> groups, std::string_view key) {
  return std::ranges::any_of(groups, [key](Keys keys) { return names(keys, key); });
}

/// "`schedule.kind: linear` does not use ...": given keys of a section that other kinds of it use; or
/// nothing.
template <class Kind>
std::string unused_of_kind(const Config& config, std::string_view section, const Kind& chosen,
                           std::span<const Kind> kinds) {
  std::vector<std::string> unused;
  for (const Kind& kind : kinds)
    for (const std::string_view name : kind.keys) {
      const std::string key = fmt::format("{}.{}", section, name);
      const bool used = std::ranges::find(chosen.keys, name) != chosen.keys.end();
      if (!used && config.gives(key) && std::ranges::find(unused, key) == unused.end()) unused.push_back(key);
    }
  if (unused.empty()) return {};
  return fmt::format("`{}.kind: {}` does not use `{}`.", section, chosen.name, fmt::join(unused, "`, `"));
}

/// Does a fine-tuning not use given steps, without `--set` having put epochs in their place?
bool ignores_steps(const Config& config) {
  const bool replaced =
      config.overridden.contains("training.epochs") && !config.overridden.contains("training.steps");
  return config.gives("training.steps") && !replaced && !finetunes_by_steps(config);
}

std::string unused_of_command(const Config& config, const CommandKeys& command) {
  std::vector<std::string> unused;
  for (const auto& key : config.given)
    if (names(command.of_file, key) || (config.overridden.contains(key) && names(command.of_set, key)))
      unused.push_back(fmt::format("`{}`", key));
  const bool uses_grid = !names(command.of_set, "grid");
  if (command.command == "finetune" && ignores_steps(config)) unused.emplace_back("`training.steps`");
  for (const auto& axis : config.grid)
    if (uses_grid && (names(command.of_file, axis.key) || names(command.of_set, axis.key)))
      unused.push_back(fmt::format("`{}` (in `grid`)", axis.key));
  if (unused.empty()) return {};
  const bool remarks = std::ranges::find(unused, fmt::format("`{}`", command.remark_on)) != unused.end();
  return fmt::format("{} does not use {}.{}",
                     command.who.empty() ? fmt::format("`{}`", command.command) : std::string(command.who),
                     fmt::join(unused, ", "), remarks ? command.remark : "");
}

}  // namespace

void require_keys(const Config& config, std::string_view command) {
  const auto found = std::ranges::find(kCommands, command, &CommandKeys::command);
  NYSTROM_CHECK(found != std::end(kCommands), "{} is not a command with keys", command);
  require(config, found->needed, command);
}

bool finetunes_by_steps(const Config& config) {
  const bool steps = config.training.steps.has_value();
  if (config.training.epochs == 0 && !steps)
    refuse("`training.epochs` is 0, and `training.steps` is not given: give one of them.");
  if (!steps || config.training.epochs == 0 || !config.gives("training.epochs")) return steps;
  return config.overridden.contains("training.steps") && !config.overridden.contains("training.epochs");
}

std::string unused_keys_sentence(const Config& config, std::string_view command) {
  const auto found = std::ranges::find(kCommands, command, &CommandKeys::command);
  if (found == std::end(kCommands)) return {};
  std::vector<std::string> sentences{unused_of_command(config, *found)};
  if (!names(found->of_set, "optimizer.kind"))
    sentences.push_back(
        unused_of_kind(config, "optimizer", find_optimizer(config.optimizer.kind), optimizer_kinds()));
  if (!names(found->of_set, "schedule.kind"))
    sentences.push_back(
        unused_of_kind(config, "schedule", find_schedule(config.schedule.kind), schedule_kinds()));
  std::erase(sentences, "");
  return fmt::format("{}", fmt::join(sentences, " "));
}

std::vector<std::string_view> keys_named_by_commands() {
  std::vector<std::string_view> all;
  const auto add = [&all](Keys keys) { all.insert(all.end(), keys.begin(), keys.end()); };
  for (const CommandKeys& command : kCommands) {
    add(command.needed);
    add(command.of_file);
    std::ranges::for_each(command.of_set, add);
  }
  return all;
}

}  // namespace nystrom
