#pragma once
// `nystrom verify --self`: built-in cases, so that a machine can be checked without
// files.

#include <string>
#include <vector>

#include "launch/verify/verification.h"

namespace nystrom {

struct SelfCheck {
  std::string name;
  Verification distances;
};

/// Outputs (losses, hidden states) and gradients of every case. `model` and `case_file` are not used.
[[nodiscard]] std::vector<SelfCheck> check_self(const VerifyOptions& options);

}  // namespace nystrom
