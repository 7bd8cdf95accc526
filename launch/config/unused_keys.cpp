#include "launch/config/unused_keys.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <span>
#include <vector>

#include "launch/config/config_table.h"

namespace nystrom {
namespace {

using Keys = std::span<const std::string_view>;

// A name that ends with a dot is a whole section.
constexpr std::string_view kPretrainFile[] = {"training.epochs", "training.patience", "schedule.warmup_share",
                                              "model.reinitialize_layers", "model.reinitialize_head"};
constexpr std::string_view kPretrainSet[] = {"task.", "grid", "corpus", "cleaning."};
constexpr std::string_view kFinetuneFile[] = {"training.steps", "checkpoint.every_steps",
                                              "evaluation.every_steps", "evaluation.batches"};
constexpr std::string_view kFinetuneSet[] = {
    "data.shards",      "data.validation", "data.shuffle",
    "data.mixture",     "data.packing",    "data.pairs",
    "data.masking.",    "objective.",      "data.short_sequence_probability",
    "run.check_shards", "corpus",          "cleaning.",
    "output."};
constexpr std::string_view kPrepareSet[] = {"model.",     "data.",     "objective.",  "training.",
                                            "optimizer.", "schedule.", "checkpoint.", "evaluation.",
                                            "task.",      "grid"};

struct CommandKeys {
  std::string_view command;
  Keys of_file, of_set;
  std::string_view remark_on = {}, remark = {};
};
constexpr CommandKeys kCommands[] = {
    {"pretrain", kPretrainFile, kPretrainSet, "schedule.warmup_share",
     " The warmup of `pretrain` is `schedule.warmup_steps`."},
    {"finetune", kFinetuneFile, kFinetuneSet, "training.steps",
     " The length of `finetune` is `training.epochs`."},
    {"prepare", {}, kPrepareSet},
};

bool names(Keys keys, std::string_view key) {
  return std::ranges::any_of(keys, [key](std::string_view each) {
    return each.ends_with('.') ? key.starts_with(each) : key == each;
  });
}

}  // namespace

std::string unused_keys_sentence(const Config& config, std::string_view command) {
  const auto found = std::ranges::find(kCommands, command, &CommandKeys::command);
  if (found == std::end(kCommands)) return {};
  std::vector<std::string> unused;
  for (const auto& key : config.given)
    if (names(found->of_file, key) || (config.overridden.contains(key) && names(found->of_set, key)))
      unused.push_back(fmt::format("`{}`", key));
  for (const auto& axis : config.grid)
    if (names(found->of_file, axis.key) || names(found->of_set, axis.key))
      unused.push_back(fmt::format("`{}` (in `grid`)", axis.key));
  if (unused.empty()) return {};
  const bool remarked = config.gives(found->remark_on);
  return fmt::format("`{}` does not use {}.{}", command, fmt::join(unused, ", "),
                     remarked ? found->remark : "");
}

}  // namespace nystrom
