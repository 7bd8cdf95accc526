#pragma once
// `nystrom inspect --verify`: every byte of a file, folder, run or preparation is read and checked.

#include <string>
#include <vector>

namespace nystrom {

struct FileVerdict {
  std::string path;
  std::string what;     ///< "checkpoint, step 1000, 214 tensors"
  std::string problem;  ///< a sentence; empty: whole
};

/// Verdicts of all that lies at `path`: a checkpoint, a shard, a safetensors file, a tokenizer, or a folder
/// of such: a model, a run (each of its checkpoints), prepared text (each file of its manifest). HDF5 files
/// are read in a child process. Throws InputError where `path` is nothing of that kind.
std::vector<FileVerdict> verify_files(const std::string& path);

}  // namespace nystrom
