#pragma once
// Inputs of `prepare`, from a configuration.

#include "launch/config/options.h"

namespace nystrom {

/// Reads the tokenizer that `tokenizer.path` names, if it does.
[[nodiscard]] PrepareOptions set_up_preparation(const Config& config);

}  // namespace nystrom
