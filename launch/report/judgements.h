#pragma once
// Parts of a fine-tuning report: how far confidence is to be believed, and the examples that were judged
// worst.

#include <string>

#include "trainer/tasks/task_details.h"

namespace nystrom {

/// A reliability curve for each split of classes, with its expected calibration error; empty without.
[[nodiscard]] std::string calibration_part(const TaskDetails& details);

/// Tables of the worst examples by split; empty without.
[[nodiscard]] std::string worst_part(const TaskDetails& details);

}  // namespace nystrom
