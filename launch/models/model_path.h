#pragma once
// Resolution of a model's path: `--model`, `--from`, `model.from`.

#include <string>
#include <vector>

namespace nystrom {

/// A run directory's checkpoint; any other path is itself.
struct ModelPath {
  std::string path;                ///< of a checkpoint or a Hugging Face folder
  std::vector<std::string> notes;  ///< for the log: which checkpoint of a run directory, which are skipped
};

/// The best checkpoint of a run directory (checkpoints/best.h5, which fine-tuning keeps), else its latest
/// valid one. Refuses a path that does not exist, a run directory without a valid checkpoint, and the
/// directory of a grid, naming a run of it.
[[nodiscard]] ModelPath find_model(const std::string& path);

}  // namespace nystrom
