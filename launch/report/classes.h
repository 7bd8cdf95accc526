#pragma once
// Per-class scores from a confusion matrix.

#include <cstdint>
#include <string>
#include <vector>

#include "data/tasks/task.h"

namespace nystrom {

struct ClassScores {
  std::string label;
  std::int64_t support = 0;                  ///< examples of the class
  std::int64_t predicted = 0;                ///< examples that were called so
  double precision = 0, recall = 0, f1 = 0;  ///< NaN where they divide by zero
};
[[nodiscard]] std::vector<ClassScores> class_scores(const Confusion& confusion);

struct Mistake {
  std::size_t truth = 0, prediction = 0;
  std::int64_t count = 0;
};
/// The most frequent mistakes, at most `most`.
[[nodiscard]] std::vector<Mistake> frequent_mistakes(const Confusion& confusion, std::size_t most);

}  // namespace nystrom
