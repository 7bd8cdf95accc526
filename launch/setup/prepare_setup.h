#pragma once
// Inputs of `prepare`, from a configuration.

#include "launch/config/options.h"

namespace nystrom {

/// Reads the tokenizer that `tokenizer.path` names, if it does.
[[nodiscard]] PrepareOptions set_up_preparation(const Config& config);

/// A task of the Long Range Arena that `prepare` makes one HDF5 file of.
struct TaskPreparation {
  TaskConfig task;
  std::int64_t longest = 0;  ///< symbols that a sequence is cut after
  std::string found;         ///< which files are read
  std::string path;          ///< of the file to be written, which is not there
};

/// Is `prepare` of this configuration one of a task, not of a corpus?
[[nodiscard]] bool prepares_task(const Config& config);
/// Refuses missing keys and files, and a file that would be replaced.
[[nodiscard]] TaskPreparation set_up_task_preparation(const Config& config);

}  // namespace nystrom
