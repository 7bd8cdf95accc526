#pragma once
// Validation of a model's configuration.

#include <string>

#include "model/config/model_config.h"

namespace nystrom {

/// Refuses what cannot be computed, naming the key: sizes below one, heads that do not divide hidden_size, an
/// even number of taps, dropout outside [0, 1), an unknown kind of attention and what that kind refuses.
void check(const ModelConfig& config);

/// check() of what a file says, which its refusals name.
void check_of_file(const std::string& path, const ModelConfig& config);

}  // namespace nystrom
