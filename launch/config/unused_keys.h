#pragma once
// Given keys that a command does not use.

#include <string>
#include <string_view>

#include "launch/config/config.h"

namespace nystrom {

/// A sentence that names the given keys that `command` (pretrain, finetune, prepare) does not use; "" if
/// there are none. One file serves several commands, so of its keys only those are named that the command
/// seems to use; of those of `--set`, all.
std::string unused_keys_sentence(const Config& config, std::string_view command);

}  // namespace nystrom
