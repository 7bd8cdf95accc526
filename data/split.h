#pragma once
// Training, validation and test split, of prepared documents and of a task's examples.

#include <cstdint>

namespace nystrom {

enum class Split : std::uint8_t { kTrain, kValidation, kTest };

}  // namespace nystrom
