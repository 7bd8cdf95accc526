#pragma once
// File verification, `nystrom inspect --verify`: every byte of a file, folder, run or preparation is read and
// checked.

#include <string>
#include <vector>

namespace nystrom {

struct FileVerdict {
  std::string path;
  std::string what;     ///< "checkpoint, step 1000, 214 tensors"
  std::string problem;  ///< a sentence; empty: valid
};

/// One verdict per file at `path`: a checkpoint, a shard, a safetensors file, a tokenizer, or a folder: a
/// model, a run (each of its checkpoints), prepared text (each file of its manifest). HDF5 files are read in
/// a child process. Throws InputError if `path` is none of these.
std::vector<FileVerdict> verify_files(const std::string& path);

}  // namespace nystrom
