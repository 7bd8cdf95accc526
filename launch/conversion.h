#pragma once
// From a checkpoint or a Hugging Face folder to the other, or to another of the same kind.

#include <cstdint>
#include <string>
#include <vector>

namespace nystrom {

struct ConvertOptions {
  std::string from = {}, to = {};
  std::int64_t sequence_length = 0;  ///< transformers' Nystrom path takes one length only; 0: the longest
};

/// Writes `to`: a checkpoint if the name ends in .h5 or .hdf5, else a folder. Checks all tensors of `from`
/// against its configuration first; refuses a target that exists. Gives sentences about what was done.
std::vector<std::string> convert(const ConvertOptions& options);

}  // namespace nystrom
