#pragma once
// Registry of fine-tuning task kinds, the words of `task.kind`. A new kind is a file under data/tasks/ and a
// row in task_kinds.cpp.

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace nystrom {

class Task;
struct TaskConfig;

/// What the columns of a kind's files are called; of several names the first that a file has counts.
struct TaskColumns {
  std::vector<std::string> first, second;  ///< an example's texts
  std::vector<std::string> id;
  bool second_optional = true;
};

struct TaskKind {
  std::string_view name;
  /// Refuses a configuration that does not fit the kind.
  std::unique_ptr<Task> (*open)(const TaskConfig& config);
  bool own_files;  ///< reads a custom dataset: takes task.train, task.labels, task.columns and so on
  /// Of the task of that name (glue). Where answers have fixed columns, nullptr.
  TaskColumns (*columns)(const std::string& task);
  double validation_fraction = 0;  ///< where task.validation_fraction is not given
  /// As check_task_files(); nullptr: the kind's files need no child process.
  void (*check_files)(const TaskConfig& config) = nullptr;
};

[[nodiscard]] std::span<const TaskKind> task_kinds();
/// The kind of that name, or nullptr.
[[nodiscard]] const TaskKind* find_task_kind(std::string_view name);

}  // namespace nystrom
