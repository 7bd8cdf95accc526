#pragma once
// Keys of a command: those that it needs, and given ones that it does not use.

#include <string>
#include <string_view>
#include <vector>

#include "launch/config/config.h"

namespace nystrom {

/// Refuses a configuration without a key that `command` (prepare, pretrain, "pretrain of a task", finetune)
/// needs, naming it.
void require_keys(const Config& config, std::string_view command);

/// Is the length of a fine-tuning `training.steps`? If it is given, unless `training.epochs` is given too; of
/// the two, what `--set` or `grid` gives counts before the file, and then the epochs. 0 epochs are none.
/// Refuses 0 epochs without steps.
[[nodiscard]] bool finetunes_by_steps(const Config& config);

/// A sentence that names the given keys that `command` does not use; "" if there are none. One file serves
/// several commands, so of its keys only those are named that the command seems to use; of those of `--set`,
/// all. Commands: prepare, pretrain, "pretrain of a task", finetune, evaluate, "evaluate of a task", bench,
/// "bench --loader".
std::string unused_keys_sentence(const Config& config, std::string_view command);

/// All keys, and sections with a dot at the end, that the two know: for tests.
std::vector<std::string_view> keys_named_by_commands();

}  // namespace nystrom
