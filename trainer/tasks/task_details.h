#pragma once
// details.json of a fine-tuning run: what its report shows beside the scores of results.json.

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "data/tasks/task.h"

namespace nystrom {

struct TaskDetails {
  std::vector<std::pair<std::string, Confusion>> confusions = {};  ///< by split
  /// Truth and prediction of each example, by split.
  std::vector<std::pair<std::string, std::vector<std::array<double, 2>>>> scatters = {};

  [[nodiscard]] bool empty() const { return confusions.empty() && scatters.empty(); }
};

/// Classes beyond this have no confusion in the file; of more examples, every n-th.
inline constexpr std::size_t kMaxConfusionClasses = 1000, kMaxScatterPoints = 5000;

[[nodiscard]] std::string task_details_text(const TaskDetails& details);
/// Invalid text reads as no details.
[[nodiscard]] TaskDetails read_task_details(const std::string& text);

}  // namespace nystrom
