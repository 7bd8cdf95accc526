#pragma once
// Parts of a fine-tuning report: calibration, and the examples with the
// largest loss.

#include <string>

#include "trainer/tasks/task_details.h"

namespace nystrom {

/// A reliability curve for each split of classes, with its expected calibration error; empty without.
[[nodiscard]] std::string calibration_part(const TaskDetails& details);

/// Tables of the worst examples by split; empty without.
[[nodiscard]] std::string worst_part(const TaskDetails& details);

}  // namespace nystrom
