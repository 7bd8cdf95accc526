#pragma once
// Where a user's own files lie, for the kinds of task that read them.

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "data/tasks/task.h"

namespace nystrom {

using Names = std::vector<std::string>;

/// "train", "validation" or "test".
[[nodiscard]] const char* split_name(Part part);

/// The file of a part: task.train, …, below task.path; without these keys and with a folder as task.path, the
/// one file of that name there is in it (train.tsv, .csv, .jsonl, .conll, .json). Empty: none. Refuses a
/// missing training file and a named file that is not there.
[[nodiscard]] std::string own_file(const TaskConfig& config, Part part);

/// Refuses roles in task.columns that the kind does not know.
void check_columns(const TaskConfig& config, std::initializer_list<std::string_view> roles);

}  // namespace nystrom
